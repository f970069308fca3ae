//! A DBM as a whole.

use std::fmt;

use bytes::Bytes;
use hozo_proto::tkrzw_rpc::{
    ClearRequest, CountRequest, GetFileSizeRequest, RebuildRequest, SearchRequest,
    ShouldBeRebuiltRequest, StringPair, SynchronizeRequest,
};
use hozo_traits::Result;

use super::Dbm;
use crate::error::check;

/// How the pattern of a search is meant. Which modes there are is the server's
/// to say; these are those that every server of Hozo and Tkrzw has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SearchMode {
    /// Keys that contain it.
    Contain,
    /// Keys that begin with it.
    Begin,
    /// Keys that end with it.
    End,
    /// Keys in which the regular expression matches.
    Regex,
    /// The keys that are nearest, by letters that differ.
    Edit,
    /// The keys that are nearest, by bytes that differ.
    EditBin,
    /// As [`Contain`](Self::Contain), without regard to case.
    ContainCase,
    /// Keys that contain it as a whole word.
    ContainWord,
    /// As [`ContainWord`](Self::ContainWord), without regard to case.
    ContainCaseWord,
    /// Keys above it, the nearest first; of ordered DBMs only.
    Upper,
    /// Keys above it or the same; of ordered DBMs only.
    UpperInclusive,
    /// Keys below it, the nearest first; of ordered DBMs only.
    Lower,
    /// Keys below it or the same; of ordered DBMs only.
    LowerInclusive,
    /// Another one, by its name on the wire: `contain*`, say.
    Other(String),
}

impl SearchMode {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            SearchMode::Contain => "contain",
            SearchMode::Begin => "begin",
            SearchMode::End => "end",
            SearchMode::Regex => "regex",
            SearchMode::Edit => "edit",
            SearchMode::EditBin => "editbin",
            SearchMode::ContainCase => "containcase",
            SearchMode::ContainWord => "containword",
            SearchMode::ContainCaseWord => "containcaseword",
            SearchMode::Upper => "upper",
            SearchMode::UpperInclusive => "upperinc",
            SearchMode::Lower => "lower",
            SearchMode::LowerInclusive => "lowerinc",
            SearchMode::Other(name) => name,
        }
    }
}

impl From<&str> for SearchMode {
    /// By the name on the wire, whatever it is: the server judges it.
    fn from(name: &str) -> SearchMode {
        match name {
            "contain" => SearchMode::Contain,
            "begin" => SearchMode::Begin,
            "end" => SearchMode::End,
            "regex" => SearchMode::Regex,
            "edit" => SearchMode::Edit,
            "editbin" => SearchMode::EditBin,
            "containcase" => SearchMode::ContainCase,
            "containword" => SearchMode::ContainWord,
            "containcaseword" => SearchMode::ContainCaseWord,
            "upper" => SearchMode::Upper,
            "upperinc" => SearchMode::UpperInclusive,
            "lower" => SearchMode::Lower,
            "lowerinc" => SearchMode::LowerInclusive,
            other => SearchMode::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for SearchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Dbm {
    /// How many records there are.
    pub async fn count(&self) -> Result<u64> {
        let answer = self.client.call(CountRequest { dbm_index: self.index }).await?;
        check(answer.status)?;
        Ok(u64::try_from(answer.count).unwrap_or(0))
    }

    /// How many bytes its files have. A server of Tkrzw refuses it for a DBM
    /// without files.
    pub async fn file_size(&self) -> Result<u64> {
        let answer = self.client.call(GetFileSizeRequest { dbm_index: self.index }).await?;
        check(answer.status)?;
        Ok(u64::try_from(answer.file_size).unwrap_or(0))
    }

    /// Properties of the DBM, names and values in the server's order.
    pub async fn inspect(&self) -> Result<Vec<(String, String)>> {
        self.client.inspect_at(self.index).await
    }

    /// Removes all records.
    pub async fn clear(&self) -> Result<()> {
        check(self.client.call(ClearRequest { dbm_index: self.index }).await?.status)
    }

    /// Puts the files in order, with options that depend on the DBM. It may take
    /// long: [`with_timeout`](Self::with_timeout).
    pub async fn rebuild(&self, options: &[(&str, &str)]) -> Result<()> {
        let (dbm_index, params) = (self.index, texts(options));
        check(self.client.call(RebuildRequest { dbm_index, params }).await?.status)
    }

    /// Whether [`rebuild`](Self::rebuild) would free much.
    pub async fn should_be_rebuilt(&self) -> Result<bool> {
        let answer = self.client.call(ShouldBeRebuiltRequest { dbm_index: self.index }).await?;
        check(answer.status)?;
        Ok(answer.tobe)
    }

    /// Makes everything written so far safe from the end of the process, or, if
    /// it is to be `hard`, from a power failure; with options that depend on the
    /// server.
    pub async fn synchronise(&self, hard: bool, options: &[(&str, &str)]) -> Result<()> {
        let (dbm_index, params) = (self.index, texts(options));
        check(self.client.call(SynchronizeRequest { dbm_index, hard, params }).await?.status)
    }

    /// The keys that match a pattern, at most `limit`. It may take long, since
    /// most modes look at every key: [`with_timeout`](Self::with_timeout).
    pub async fn search(
        &self,
        mode: impl Into<SearchMode>,
        pattern: impl Into<Bytes>,
        limit: Option<u32>,
    ) -> Result<Vec<Bytes>> {
        let capacity = match limit {
            // On the wire 0 is no limit in most modes.
            Some(0) => return Ok(Vec::new()),
            Some(limit) => i32::try_from(limit).unwrap_or(i32::MAX),
            None => -1,
        };
        let (mode, pattern) = (mode.into().as_str().to_owned(), pattern.into());
        let request = SearchRequest { dbm_index: self.index, mode, pattern, capacity };
        let answer = self.client.call(request).await?;
        check(answer.status)?;
        Ok(answer.matched)
    }
}

fn texts(options: &[(&str, &str)]) -> Vec<StringPair> {
    let pair = |(name, value): &(&str, &str)| StringPair {
        first: (*name).to_owned(),
        second: (*value).to_owned(),
    };
    options.iter().map(pair).collect()
}
