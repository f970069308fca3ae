//! What a namespace was, and when.

use hozo_traits::{
    Error, ErrorKind, LogEntry, LogQuery, PageStoreExt, Result, Span, Timestamp, Version,
};

use crate::heads::head_at;
use crate::namespace::not_reached;
use crate::{
    CommitCount, Head, NamespaceInfo, NamespaceName, NamespaceStat, Namespaces, Target, When,
    format_time,
};

/// Log entries that [`Namespaces::log`] answers at most.
pub const LOG_ENTRIES_MAX: usize = 10_000;

/// Commits that [`Namespaces::stat`] counts at most.
pub const COMMITS_COUNTED_MAX: u64 = 100_000;

/// What a [`Target`] means just now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// The namespace.
    pub info: NamespaceInfo,
    /// The commit to read at; `None` for the head, which moves.
    pub at: Option<Head>,
}

impl Namespaces {
    /// Entries of a namespace's log, at most `limit` and at most
    /// [`LOG_ENTRIES_MAX`].
    pub async fn log(
        &self,
        name: &NamespaceName,
        span: Span,
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        let namespace = self.get(name).await?.id;
        let limit = limit.min(LOG_ENTRIES_MAX);
        self.store().log(LogQuery { namespace, span, newest_first, limit }).await
    }

    /// What a namespace is and holds now.
    pub async fn stat(&self, name: &NamespaceName) -> Result<NamespaceStat> {
        let info = self.get(name).await?;
        let newest = self.store().watermarks().await?.sequenced;
        let head = head_at(&**self.store(), &info, newest).await?;
        let span = |from| LogQuery {
            namespace: info.id,
            span: Span::Versions(from, newest),
            newest_first: false,
            limit: LOG_ENTRIES_MAX,
        };
        let mut entries = self.store().log(span(Version::ZERO)).await?;
        let oldest = entries.first().map_or(Version::ZERO, |entry| entry.version);
        let mut counted = entries.len() as u64;
        while counted < COMMITS_COUNTED_MAX {
            let Some(next) = entries.last().and_then(|entry| entry.version.successor()) else {
                break;
            };
            entries = self.store().log(span(next)).await?;
            counted += entries.len() as u64;
        }
        let commits = match entries.last() {
            Some(last) if last.version < head.version => CommitCount::MoreThan(counted),
            _ => CommitCount::Exactly(counted),
        };
        Ok(NamespaceStat { info, head, oldest, commits })
    }

    /// Finds the namespace and the commit that a target means.
    ///
    /// - A version means the newest commit at or below it. One that the store
    ///   has not reached is [`VersionGone`](ErrorKind::VersionGone).
    /// - A time means the newest commit at or before it. One that has not come
    ///   is [`Invalid`](ErrorKind::Invalid), since what it means may change.
    /// - From its creation to its first commit a namespace is empty; before
    ///   its creation it is [`NotFound`](ErrorKind::NotFound).
    ///
    /// The commit is on stable storage when this answers, so that a snapshot
    /// is never taken back by a power cut.
    pub async fn resolve(&self, target: &Target) -> Result<Resolved> {
        let info = self.get(&target.name).await?;
        let at = match &target.when {
            When::Head => return Ok(Resolved { info, at: None }),
            When::Version(version) => self.at_version(&info, *version).await?,
            When::Time(time) => self.at_time(&info, *time).await?,
            When::Ago(ago) => {
                let micros = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
                let now = self.ambient().now().as_micros();
                self.at_time(&info, Timestamp::from_micros(now.saturating_sub(micros))).await?
            }
            When::Tag(tag) => {
                return Err(Error::new(ErrorKind::Unsupported, "there are no tags yet")
                    .with("tag", tag)
                    .with("namespace", &info.name));
            }
        };
        if at.version > self.store().watermarks().await?.durable {
            self.store().wait_durable(at.version).await?;
        }
        Ok(Resolved { info, at: Some(at) })
    }

    async fn at_version(&self, info: &NamespaceInfo, version: Version) -> Result<Head> {
        let newest = self.store().watermarks().await?.sequenced;
        if version > newest {
            return Err(not_reached(version, newest).with("namespace", &info.name));
        }
        match self.store().head(info.id, version).await? {
            Some(entry) => Ok(Head::from(&entry)),
            None if version >= info.created_version => Ok(info.empty_head()),
            None => Err(before_creation(info).with("version", version)),
        }
    }

    async fn at_time(&self, info: &NamespaceInfo, time: Timestamp) -> Result<Head> {
        let span = Span::Times(Timestamp::default(), time);
        let query = LogQuery { namespace: info.id, span, newest_first: true, limit: 1 };
        let entry = self.store().log(query).await?.pop();
        let now = self.ambient().now();
        if time > now {
            // Commits may be ahead of this clock: what was before them stays.
            let newest = self.store().head(info.id, Version::MAX).await?;
            if newest.is_none_or(|newest| newest.time < time) {
                return Err(Error::new(ErrorKind::Invalid, "this time has not come yet")
                    .with("time", format_time(time))
                    .with("now", format_time(now))
                    .with("namespace", &info.name));
            }
        }
        match entry {
            Some(entry) => Ok(Head::from(&entry)),
            None if time >= info.created => Ok(info.empty_head()),
            None => Err(before_creation(info).with("time", format_time(time))),
        }
    }
}

fn before_creation(info: &NamespaceInfo) -> Error {
    Error::new(ErrorKind::NotFound, "the namespace was created later than that")
        .with("namespace", &info.name)
        .with("created", format_time(info.created))
        .with("at version", info.created_version)
}
