//! Reading the page log, by version or by time.

use hozo_traits::{LogEntry, LogQuery, Result, Span, Timestamp, Version};

use crate::codec::{corrupt, log as codec};
use crate::scan::Pieces;
use crate::{OrderedEngine, OrderedPages, Scan, Space, keys};

impl<E: OrderedEngine> OrderedPages<E> {
    pub(crate) async fn read_log(&self, query: LogQuery) -> Result<Vec<LogEntry>> {
        match query.span {
            Span::Versions(from, to) => self.read_log_by_version(&query, from, to).await,
            Span::Times(from, to) => self.read_log_by_time(&query, from, to).await,
        }
    }

    async fn read_log_by_version(
        &self,
        query: &LogQuery,
        from: Version,
        to: Version,
    ) -> Result<Vec<LogEntry>> {
        let start = keys::log(query.namespace, from);
        let end = keys::after(keys::log(query.namespace, to));
        let found = self.scan_all(scan(Space::Log, &start, &end, query)).await?;
        found.iter().map(|(key, value)| codec::decode(keys::log_version(key)?, value)).collect()
    }

    async fn read_log_by_time(
        &self,
        query: &LogQuery,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LogEntry>> {
        let start = keys::times(query.namespace, from, Version::ZERO);
        let end = keys::after(keys::times(query.namespace, to, Version::MAX));
        let mut entries = Vec::new();
        let mut pieces = Pieces::of(scan(Space::Times, &start, &end, query));
        while let Some(piece) = pieces.next(&self.engine).await? {
            let versions: Vec<Version> =
                piece.iter().map(|(key, _)| keys::times_version(key)).collect::<Result<_>>()?;
            let wanted: Vec<_> = versions.iter().map(|v| keys::log(query.namespace, *v)).collect();
            let values = self.engine.get_many(Space::Log, &wanted).await?;
            for (version, value) in versions.into_iter().zip(values) {
                let value = value.ok_or_else(|| {
                    corrupt("the log lacks an entry that is listed by its time")
                        .with("namespace", query.namespace)
                        .with("version", version)
                })?;
                entries.push(codec::decode(version, &value)?);
            }
        }
        Ok(entries)
    }
}

fn scan<'a>(space: Space, start: &'a [u8], end: &'a [u8], query: &LogQuery) -> Scan<'a> {
    let (reverse, limit) = (query.newest_first, query.limit);
    Scan { space, start, end, reverse, limit, bytes_max: 0 }
}
