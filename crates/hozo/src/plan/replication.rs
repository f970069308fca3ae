//! Replication.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hozo_traits::{Role, ServerId};
use toml::Spanned;

use super::store;
use crate::problem::{listed, nearest};
use crate::secret::Secret;
use crate::section::Section;
use crate::settings::{ReplicationSettings, UlogSettings};
use crate::text::Report;

mod source;
mod values;

use values::Values;

/// This server's part in replication: `[replication.NAME]`. All DBMs of the
/// config take part; their order is their index in the log.
#[derive(Clone, Debug)]
pub struct ReplicationPlan {
    name: String,
    server_id: ServerId,
    dir: PathBuf,
    follow: Option<String>,
    role: Role,
    home: bool,
    namespaces: Vec<String>,
    acknowledge: bool,
    ack: u32,
    ack_timeout: Duration,
    segment_bytes: u64,
    keep: Duration,
    keep_bytes: u64,
    follow_token: Option<Secret>,
    follow_ca: Option<PathBuf>,
    follow_identity: Option<(PathBuf, PathBuf)>,
    timestamp_skew_ms: i64,
}

/// An update log of this server's, that others may follow.
const ULOG: &str = "ulog";
/// The log of a FoundationDB cluster.
const FDB_NATIVE: &str = "fdb-native";

impl ReplicationPlan {
    /// Its name in the config.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind, as the config writes it.
    pub fn kind(&self) -> &'static str {
        ULOG
    }

    /// The server's id, which its updates have.
    pub fn server_id(&self) -> ServerId {
        self.server_id
    }

    /// The log's directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The address of the server that is followed when this one starts, with an
    /// absolute path if it is a Unix socket.
    pub fn follow(&self) -> Option<&str> {
        self.follow.as_deref()
    }

    /// What it is when it first starts; it may be told otherwise while it runs.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether it takes the commits of namespaces if it is one of two masters.
    pub fn home(&self) -> bool {
        self.home
    }

    /// The names of the stores whose namespaces are replicated, in the order of
    /// the config.
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// Whether it counts as a follower of its source: for acknowledgement, and for
    /// what the source's log keeps.
    pub fn acknowledge(&self) -> bool {
        self.acknowledge
    }

    /// How many followers have to have an update before it is answered.
    pub fn ack(&self) -> u32 {
        self.ack
    }

    /// How long that may take.
    pub fn ack_timeout(&self) -> Duration {
        self.ack_timeout
    }

    /// The size of a segment of a log that is new: a power of two.
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// How old updates become before they are removed.
    pub fn keep(&self) -> Duration {
        self.keep
    }

    /// How large the log becomes before updates are removed that followers need.
    pub fn keep_bytes(&self) -> u64 {
        self.keep_bytes
    }

    /// The token that is shown to the source.
    pub fn follow_token(&self) -> Option<&Secret> {
        self.follow_token.as_ref()
    }

    /// The certificates (PEM) of who vouches for the source; absolute.
    pub fn follow_ca(&self) -> Option<&Path> {
        self.follow_ca.as_deref()
    }

    /// The certificate and the key (PEM) that are shown to the source; absolute.
    pub fn follow_identity(&self) -> Option<(&Path, &Path)> {
        self.follow_identity.as_ref().map(|(cert, key)| (&**cert, &**key))
    }

    /// By how many milliseconds the moment moves from which updates are asked
    /// for, where the source has no positions.
    pub fn timestamp_skew_ms(&self) -> i64 {
        self.timestamp_skew_ms
    }
}

/// What the rest of a config says.
pub(super) struct Rest<'a> {
    /// The directories of stores, with their names and lines.
    pub(super) directories: &'a BTreeMap<PathBuf, (String, usize)>,
    /// The names of all stores.
    pub(super) stores: &'a [String],
    /// Those of them that rules about namespaces name.
    pub(super) mapped: Vec<String>,
    pub(super) has_dbms: bool,
}

/// The plan of a `[replication.NAME]`; reports what is wrong with it.
pub(super) fn check(
    settings: ReplicationSettings<'_>,
    base: &Path,
    rest: &Rest<'_>,
    report: &mut Report<'_>,
) -> Option<ReplicationPlan> {
    let ReplicationSettings { name, kind, section } = settings;
    store::check_name("replication", &name, report);
    if let Some(kind) = &kind
        && kind.get_ref() != ULOG
    {
        tell_kind(kind.get_ref(), kind.span(), report);
        if kind.get_ref() == FDB_NATIVE {
            // Its keys are others.
            return None;
        }
    }
    if !rest.has_dbms {
        report
            .missing(section.span.clone(), format!("{} has no DBM to replicate", section.title))
            .note("such as:  [[dbm]]  name = \"casket\"");
    }
    let plan = ulog(name.into_inner(), section, base, rest, report)?;
    kind.map(|_| plan)
}

fn tell_kind(kind: &str, span: Range<usize>, report: &mut Report<'_>) {
    if kind == FDB_NATIVE {
        report
            .add(span, format!("replication `{FDB_NATIVE}` is not in this version of Hozo"))
            .note("it is for stores with the backend `fdb`")
            .note(format!("kinds: {}", listed([ULOG])));
        return;
    }
    let problem = report.add(span, format!("unknown kind of replication `{kind}`"));
    if let Some(meant) = nearest(kind, [ULOG, FDB_NATIVE]) {
        problem.label(format!("did you mean `{meant}`?"));
    }
    problem.note(format!("kinds: {}", listed([ULOG])));
}

fn ulog(
    name: String,
    section: Section<'_>,
    base: &Path,
    rest: &Rest<'_>,
    report: &mut Report<'_>,
) -> Option<ReplicationPlan> {
    let (title, span) = (section.title.clone(), section.span.clone());
    let read: UlogSettings = section.read(&["kind"], report)?;
    let mut values = Values { title, span, base, report };
    // All of them, before any of them ends this.
    let server_id = values.server_id(read.server_id);
    let dir = values.dir(read.dir, rest.directories);
    let follow = values.source(read.follow.as_ref());
    let role = values.role(read.role, read.follow.is_some());
    let home = values.home(read.home, role);
    let namespaces = values.namespaces(read.namespaces, rest);
    let ack = values.number("ack", read.ack, values::ACK);
    let ack_timeout = values.number("ack_timeout_ms", read.ack_timeout_ms, values::ACK_TIMEOUT_MS);
    let segment_bytes = values.segment_bytes(read.segment_bytes);
    let keep = values.keep(read.keep);
    let keep_bytes = values.keep_bytes(read.keep_bytes, segment_bytes);
    let follow_token = values.token(read.follow_token, read.follow_token_file);
    let follow_ca = values.file("follow_ca", read.follow_ca);
    let follow_identity = values.identity(read.follow_cert, read.follow_key);
    let timestamp_skew_ms = values.skew(read.timestamp_skew_ms, read.follow.is_some());
    Some(ReplicationPlan {
        name,
        server_id: server_id?,
        dir: dir?,
        follow: follow?,
        role: role?,
        home: home?,
        namespaces: namespaces?,
        acknowledge: read.acknowledge.is_none_or(Spanned::into_inner),
        ack: u32::try_from(ack?).ok()?,
        ack_timeout: Duration::from_millis(ack_timeout?),
        segment_bytes: segment_bytes?,
        keep: keep?,
        keep_bytes: keep_bytes?,
        follow_token: follow_token?,
        follow_ca: follow_ca?,
        follow_identity: follow_identity?,
        timestamp_skew_ms: timestamp_skew_ms?,
    })
}
