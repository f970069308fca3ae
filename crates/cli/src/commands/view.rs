//! Namespaces as the commands show them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo::Stack;
use hozo::pages::{Head, NamespaceInfo, NamespaceName, Namespaces, Target, When, format_time};
use hozo::traits::exec::block_on;
use hozo::traits::{ErrorKind, Version};
use hozo_embedded::Connect as _;
use hozo_embedded::rusqlite::Connection;
use serde::Serialize;

use crate::failure::{Done, Failure};

/// The fields of a namespace in JSON. They stay the same.
#[derive(Serialize)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) store: String,
    pub(super) id: u64,
    pub(super) created: String,
    pub(super) version: Option<String>,
    pub(super) time: String,
    pub(super) page_size: u32,
    pub(super) page_count: u32,
    pub(super) bytes: u64,
    pub(super) concurrency: &'static str,
}

impl View {
    pub(super) fn of(store: &str, info: &NamespaceInfo, head: &Head) -> Self {
        View {
            name: info.name.as_str().to_owned(),
            store: store.to_owned(),
            id: info.id.0,
            created: format_time(info.created),
            version: version(head),
            time: format_time(head.time),
            page_size: head.page_size.get(),
            page_count: head.page_count,
            bytes: head.bytes(),
            concurrency: info.concurrency.as_str(),
        }
    }
}

/// The head's version; `None` before the first commit.
pub(super) fn version(head: &Head) -> Option<String> {
    (head.version != Version::ZERO).then(|| head.version.to_string())
}

/// Says what to do about a namespace that does not exist, or did not yet.
pub(super) fn absent(error: hozo::traits::Error, name: &NamespaceName) -> Failure {
    if error.kind() != ErrorKind::NotFound {
        return error.into();
    }
    let created = error.context().iter().find(|(key, _)| *key == "created");
    let hint = match created {
        Some((_, time)) => {
            format!("{name} begins at {time}; `hozo ns log {name}` shows its versions")
        }
        None => {
            format!("`hozo ns list` shows the namespaces; `hozo ns create {name}` makes this one")
        }
    };
    Failure::from(error).hint(hint)
}

/// Connects the SQLite of this program to a namespace, or to its past. A
/// namespace that is not there is made if `create` says so, or a rule of the
/// config does.
pub(crate) fn connect(stack: &Arc<Stack>, target: &Target, create: bool) -> Done<Connection> {
    if create && target.when == When::Head {
        match stack.create(&target.name) {
            Err(e) if e.kind() != ErrorKind::Exists => return Err(e.into()),
            _ => {}
        }
    }
    stack.connect(&target.to_string()).map_err(|e| absent(e, &target.name))
}

/// A namespace and the one version of it that was asked for.
pub(crate) struct OpenTarget {
    pub(crate) info: NamespaceInfo,
    pub(crate) head: Head,
}

/// Looks up a namespace that must exist, and the version that `target` means now.
pub(crate) fn open_target(stack: &Stack, target: &Target) -> Done<OpenTarget> {
    let absent = |e| absent(e, &target.name);
    let namespaces: Arc<Namespaces> = stack.store_of(&target.name)?;
    let resolved = block_on(namespaces.resolve(target)).map_err(absent)?;
    let head = match resolved.at {
        Some(head) => head,
        None => {
            let namespace = block_on(namespaces.open(&target.name)).map_err(absent)?;
            block_on(namespace.heads())?.sequenced
        }
    };
    Ok(OpenTarget { info: resolved.info, head })
}

/// The fields of a copy in JSON. They stay the same.
#[derive(Serialize)]
pub(super) struct Copied {
    name: String,
    version: Option<String>,
    time: String,
    page_size: u32,
    page_count: u32,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Copied {
    pub(super) fn of(open: &OpenTarget, file: Option<&Path>) -> Self {
        Copied {
            name: open.info.name.as_str().to_owned(),
            version: version(&open.head),
            time: format_time(open.head.time),
            page_size: open.head.page_size.get(),
            page_count: open.head.page_count,
            bytes: open.head.bytes(),
            file: file.map(Path::to_owned),
        }
    }

    /// For a person: what was copied, in which version.
    pub(super) fn told(&self) -> String {
        let at = self.version.as_deref().unwrap_or("empty");
        format!("{} at {at}, of {}, {}", self.name, self.time, crate::output::size(self.bytes))
    }
}
