//! Step two: what a config says, typed, before any of it is checked against
//! backends and directories.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::nearest;
use crate::registry::DEFAULT_BACKEND;
use crate::section::Section;
use crate::text::{Report, in_file_order};

/// Sections that this version reads.
const SECTIONS: [&str; 6] = ["store", "namespace", "dbm", "replication", "cache", "frontend"];

/// A config as it is written.
pub(crate) struct Settings<'t> {
    pub(crate) stores: Vec<StoreSettings<'t>>,
    /// Whether there is any attempt at a store, even one that cannot be read.
    pub(crate) names_store: bool,
    pub(crate) namespaces: Vec<(Range<usize>, NamespaceSettings)>,
    pub(crate) dbms: Vec<(Range<usize>, DbmSettings)>,
    /// Whether there is any attempt at a DBM, even one that cannot be read.
    pub(crate) names_dbm: bool,
    pub(crate) replication: Option<ReplicationSettings<'t>>,
    pub(crate) cache: CacheSettings,
    pub(crate) frontends: Vec<Section<'t>>,
}

/// `[store.NAME]`. Its keys are the backend's, so they stay as they are until
/// the registry says which backend that is.
pub(crate) struct StoreSettings<'t> {
    pub(crate) name: Spanned<String>,
    pub(crate) backend: Option<Spanned<String>>,
    pub(crate) section: Section<'t>,
}

/// `[[namespace]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamespaceSettings {
    #[serde(rename = "match")]
    pub(crate) pattern: Option<Spanned<String>>,
    pub(crate) store: Option<Spanned<String>>,
    pub(crate) concurrency: Option<Spanned<String>>,
    pub(crate) page_size: Option<Spanned<u32>>,
}

/// `[[dbm]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DbmSettings {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) store: Option<Spanned<String>>,
    pub(crate) durability: Option<Spanned<String>>,
}

/// `[replication.NAME]`. Its keys depend on its kind.
pub(crate) struct ReplicationSettings<'t> {
    pub(crate) name: Spanned<String>,
    pub(crate) kind: Option<Spanned<String>>,
    pub(crate) section: Section<'t>,
}

/// `[replication.NAME]` of kind `ulog`, without the kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UlogSettings {
    pub(crate) server_id: Option<Spanned<u64>>,
    pub(crate) dir: Option<Spanned<String>>,
    pub(crate) follow: Option<Spanned<String>>,
    pub(crate) role: Option<Spanned<String>>,
    pub(crate) home: Option<Spanned<bool>>,
    pub(crate) namespaces: Option<Vec<Spanned<String>>>,
    pub(crate) acknowledge: Option<Spanned<bool>>,
    pub(crate) ack: Option<Spanned<u64>>,
    pub(crate) ack_timeout_ms: Option<Spanned<u64>>,
    pub(crate) segment_bytes: Option<Spanned<u64>>,
    pub(crate) keep: Option<Spanned<String>>,
    pub(crate) keep_bytes: Option<Spanned<u64>>,
    pub(crate) follow_token: Option<Spanned<String>>,
    pub(crate) follow_token_file: Option<Spanned<String>>,
    pub(crate) follow_ca: Option<Spanned<String>>,
    pub(crate) follow_cert: Option<Spanned<String>>,
    pub(crate) follow_key: Option<Spanned<String>>,
    pub(crate) timestamp_skew_ms: Option<Spanned<i64>>,
}

/// `[cache]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheSettings {
    pub(crate) bytes: Option<Spanned<u64>>,
}

impl<'t> Settings<'t> {
    /// Reads the sections; what is wrong goes to `report`.
    pub(crate) fn read(table: DeTable<'t>, report: &mut Report<'_>) -> Self {
        let mut settings = Settings {
            stores: Vec::new(),
            names_store: false,
            namespaces: Vec::new(),
            dbms: Vec::new(),
            names_dbm: false,
            replication: None,
            cache: CacheSettings::default(),
            frontends: Vec::new(),
        };
        for (key, value) in in_file_order(table) {
            match &**key.get_ref() {
                "store" => {
                    settings.names_store = value.get_ref().as_table().is_none_or(|t| !t.is_empty());
                    settings.stores = stores(value, report);
                }
                "namespace" => {
                    for section in list("[[namespace]]", value, report) {
                        let span = section.span.clone();
                        settings.namespaces.extend(section.read(&[], report).map(|n| (span, n)));
                    }
                }
                "dbm" => {
                    settings.names_dbm = true;
                    for section in list("[[dbm]]", value, report) {
                        let span = section.span.clone();
                        settings.dbms.extend(section.read(&[], report).map(|d| (span, d)));
                    }
                }
                "replication" => settings.replication = replication(value, report),
                "cache" => {
                    settings.cache = Section::of("[cache]".to_owned(), value, report)
                        .and_then(|section| section.read(&[], report))
                        .unwrap_or_default();
                }
                "frontend" => settings.frontends = list("[[frontend]]", value, report),
                other => unknown(other, &key.span(), report),
            }
        }
        settings
    }
}

fn unknown(name: &str, span: &Range<usize>, report: &mut Report<'_>) {
    let problem = report.add(span.clone(), format!("unknown section or key `{name}`"));
    // The singular and the plural differ by little, so this finds `stores` too.
    if let Some(meant) = nearest(name, SECTIONS) {
        problem.label(format!("did you mean `{meant}`?"));
    }
    problem.note(
        "sections: [store.NAME], [[namespace]], [[dbm]], [replication.NAME], [cache], [[frontend]]",
    );
}

fn stores<'t>(value: Spanned<DeValue<'t>>, report: &mut Report<'_>) -> Vec<StoreSettings<'t>> {
    let such_as = format!("such as: backend = \"{DEFAULT_BACKEND}\"");
    let mut stores = Vec::new();
    for (name, mut section) in named("store", value, report) {
        let backend = section.take_string("backend", &such_as, report);
        stores.push(StoreSettings { name, backend, section });
    }
    stores
}

/// The one section about replication, or the first of several.
fn replication<'t>(
    value: Spanned<DeValue<'t>>,
    report: &mut Report<'_>,
) -> Option<ReplicationSettings<'t>> {
    let mut sections = named("replication", value, report).into_iter();
    let (name, mut section) = sections.next()?;
    let line = report.line_of(&name.span());
    for (other, _) in sections {
        report
            .add(other.span(), "a config has one section [replication.NAME]")
            .note(format!("the first is on line {line}; all DBMs of the config have one log"));
    }
    let kind = section.take_string("kind", "such as: kind = \"ulog\"", report);
    Some(ReplicationSettings { name, kind, section })
}

/// The sections `[WHAT.NAME]`, in the order of the text.
fn named<'t>(
    what: &str,
    value: Spanned<DeValue<'t>>,
    report: &mut Report<'_>,
) -> Vec<(Spanned<String>, Section<'t>)> {
    let span = value.span();
    let table = match value.into_inner() {
        DeValue::Table(table) => table,
        _ => {
            report
                .add(span, format!("`{what}` is a section with a name"))
                .label(format!("write [{what}.NAME]"));
            return Vec::new();
        }
    };
    let mut sections = Vec::new();
    for (name, value) in in_file_order(table) {
        if !value.get_ref().is_table() {
            // `[store]` with keys below: its owner forgot the name.
            report
                .add(name.span(), format!("`{}` is not in a {what} with a name", name.get_ref()))
                .label(format!("write [{what}.NAME] above it, such as [{what}.main]"));
            continue;
        }
        let title = format!("[{what}.{}]", name.get_ref());
        let Some(section) = Section::of(title, value, report) else { continue };
        sections.push((Spanned::new(name.span(), name.into_inner().into_owned()), section));
    }
    sections
}

/// The sections of an array of tables.
fn list<'t>(title: &str, value: Spanned<DeValue<'t>>, report: &mut Report<'_>) -> Vec<Section<'t>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Array(values) => values
            .into_iter()
            .filter_map(|value| Section::of(title.to_owned(), value, report))
            .collect(),
        DeValue::Table(_) => {
            report
                .add(span, format!("there can be several {title}, so it has two brackets"))
                .label(format!("write {title}"));
            Vec::new()
        }
        _ => {
            report.add(span, format!("{title} is a section")).label(format!("write {title}"));
            Vec::new()
        }
    }
}
