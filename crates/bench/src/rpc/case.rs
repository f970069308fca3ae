//! In which ways a server is measured.

use std::fmt;
use std::str::FromStr;

use hozo::traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// How requests travel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each is a call of its own.
    Unary,
    /// Over the rpc `Stream`, one for each connection.
    Stream,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Unary => "unary",
            Mode::Stream => "stream",
        })
    }
}

/// What requests do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Workload {
    /// Read a record.
    Get,
    /// Overwrite a record.
    Set,
    /// So many of a hundred read a record, and the others overwrite one.
    Mixed(u8),
    /// Add one to a counter; each connection's lanes have one each.
    Increment,
    /// Nothing but travel: the answer is what was sent.
    Echo,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Workload::Get => f.write_str("get"),
            Workload::Set => f.write_str("set"),
            Workload::Mixed(gets) => write!(f, "mixed({gets})"),
            Workload::Increment => f.write_str("increment"),
            Workload::Echo => f.write_str("echo"),
        }
    }
}

impl FromStr for Workload {
    type Err = Error;

    /// As it is shown; `mixed` alone is half and half, and `mixed:80` needs no
    /// quotes in a shell.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            let known = "get, set, mixed(PERCENT OF GETS), increment and echo are workloads";
            Error::new(ErrorKind::Invalid, known).with("workload", text)
        };
        let gets = text.strip_prefix("mixed");
        match (text, gets) {
            ("get", _) => Ok(Workload::Get),
            ("set", _) => Ok(Workload::Set),
            ("increment", _) => Ok(Workload::Increment),
            ("echo", _) => Ok(Workload::Echo),
            (_, Some("")) => Ok(Workload::Mixed(50)),
            (_, Some(gets)) => {
                let bracketed = gets.strip_prefix('(').and_then(|gets| gets.strip_suffix(')'));
                let gets = bracketed.or_else(|| gets.strip_prefix(':')).ok_or_else(unknown)?;
                let gets = gets.parse().ok().filter(|gets| *gets <= 100).ok_or_else(unknown)?;
                Ok(Workload::Mixed(gets))
            }
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Workload {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Workload> for String {
    fn from(workload: Workload) -> Self {
        workload.to_string()
    }
}

/// One way to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Case {
    /// What requests do.
    pub workload: Workload,
    /// Bytes in a value, or in what is echoed.
    pub value_bytes: usize,
    /// How they travel.
    pub mode: Mode,
    /// How many connections there are.
    pub connections: usize,
    /// How many requests may be under way at once on each.
    pub pipeline: usize,
}

impl Case {
    /// Every combination, so that those which share records are neighbours and
    /// those which a table shows together are, too.
    pub fn all(
        workloads: &[Workload],
        value_bytes: &[usize],
        modes: &[Mode],
        pipelines: &[usize],
        connections: &[usize],
    ) -> Vec<Case> {
        let mut cases = Vec::new();
        for &value_bytes in value_bytes {
            for &workload in workloads {
                for &mode in modes {
                    for &pipeline in pipelines {
                        for &connections in connections {
                            cases.push(Case { workload, value_bytes, mode, connections, pipeline });
                        }
                    }
                }
            }
        }
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_read_as_they_are_shown() {
        for text in ["get", "set", "mixed(80)", "mixed(0)", "increment", "echo"] {
            assert_eq!(text.parse::<Workload>().unwrap().to_string(), text);
        }
        assert_eq!("mixed".parse::<Workload>().unwrap(), Workload::Mixed(50));
        assert_eq!("mixed:95".parse::<Workload>().unwrap(), Workload::Mixed(95));
        for text in ["", "gets", "mixed(101)", "mixed(-1)", "mixed()", "mixed80", "mixed(80"] {
            let said = text.parse::<Workload>().unwrap_err().to_string();
            assert!(said.contains("increment"), "{text}: {said}");
        }
    }

    #[test]
    fn cases_are_all_combinations() {
        let cases = Case::all(
            &[Workload::Get, Workload::Set],
            &[8, 1024],
            &[Mode::Unary, Mode::Stream],
            &[1],
            &[1, 8, 32],
        );
        assert_eq!(cases.len(), 24);
        assert!(cases[..12].iter().all(|case| case.value_bytes == 8));
    }
}
