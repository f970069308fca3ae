//! What a server or a store refused, with the code that Tkrzw has for it.

use std::error::Error as _;

use hozo_client::{Error, ErrorKind, Outcome};
use hozo_proto::StatusCode;

use super::files::text::escape;
use crate::exit;
use crate::failure::{Done, Failure};

/// The longest key that is shown whole.
const SHOWN_BYTES_MAX: usize = 64;

/// A refusal with this code, which is about what was asked and not about how.
pub(super) fn refusal(code: StatusCode, what: impl std::fmt::Display) -> Failure {
    let exit = match code {
        StatusCode::NotFoundError => exit::NOT_FOUND,
        StatusCode::DuplicationError | StatusCode::InfeasibleError => exit::CONFLICT,
        _ => exit::FAILED,
    };
    Failure::new(exit, format!("{}: {what}", code.name()))
}

/// The failure that an error of a call is: `CODE: message`, where the code is the
/// database's, or `NETWORK_ERROR` and gRPC's.
pub(super) fn failure(error: Error) -> Failure {
    let context = |wanted: &str| error.context().iter().find(|(key, _)| *key == wanted);
    let network = StatusCode::NetworkError.name();
    let code = match (context("status"), context("grpc")) {
        (Some((_, status)), _) => status.clone(),
        (None, Some((_, code))) => format!("{network}: {code}"),
        (None, None) if context("server").is_some() => network.to_owned(),
        // It never came to asking a server.
        (None, None) => return error.into(),
    };
    let mut text = code.clone();
    if error.message() != code {
        text = format!("{text}: {}", error.message());
    }
    for (key, value) in error.context().iter().filter(|(key, _)| !["status", "grpc"].contains(key))
    {
        text = format!("{text} ({key} {value})");
    }
    let mut cause = error.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    let too_large = error.kind() == ErrorKind::TooLarge;
    let failure = Failure::from(error).saying(text);
    match too_large {
        true => failure.hint("a server's `max_message_bytes` says how large a message may be"),
        false => failure,
    }
}

/// An error unless it was done.
pub(super) fn done(outcome: Outcome, key: &[u8]) -> Done {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Missing => Err(missing(key)),
        Outcome::Exists => Err(exists(key)),
    }
}

pub(super) fn missing(key: &[u8]) -> Failure {
    refusal(StatusCode::NotFoundError, format!("there is no record {}", shown(key)))
}

pub(super) fn exists(key: &[u8]) -> Failure {
    refusal(StatusCode::DuplicationError, format!("there is a record {} already", shown(key)))
}

/// A key in a message for people.
pub(super) fn shown(key: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(&escape(bytes)).into_owned();
    match key.get(..SHOWN_BYTES_MAX) {
        Some(begin) if begin.len() < key.len() => format!("\"{}...\"", text(begin)),
        _ => format!("\"{}\"", text(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(failure: &Failure) -> String {
        let mut json = Vec::new();
        failure.report_json(&mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        json["error"]["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn errors_begin_with_the_code_that_they_came_with() {
        let status =
            Error::new(ErrorKind::Invalid, "unknown mode").with("status", "INVALID_ARGUMENT_ERROR");
        assert_eq!(said(&failure(status)), "INVALID_ARGUMENT_ERROR: unknown mode");
        let bare =
            Error::new(ErrorKind::Conflict, "INFEASIBLE_ERROR").with("status", "INFEASIBLE_ERROR");
        let bare = failure(bare);
        assert_eq!((said(&bare).as_str(), bare.exit()), ("INFEASIBLE_ERROR", exit::CONFLICT));
        let grpc = Error::new(ErrorKind::Unavailable, "cannot connect")
            .with("grpc", "UNAVAILABLE")
            .with("server", "http://here:1")
            .caused_by("refused");
        let text = "NETWORK_ERROR: UNAVAILABLE: cannot connect (server http://here:1): refused";
        assert_eq!(said(&failure(grpc)), text);
        let dropped = Error::new(ErrorKind::Unavailable, "it hangs up").with("server", "x:1");
        assert_eq!(said(&failure(dropped)), "NETWORK_ERROR: it hangs up (server x:1)");
        let own = Error::new(ErrorKind::Invalid, "no such address");
        assert_eq!(said(&failure(own)), "invalid: no such address");
    }

    #[test]
    fn keys_are_shown_on_one_line_and_not_too_long() {
        assert_eq!(shown(b"a\nb"), "\"a\\nb\"");
        assert_eq!(shown(b"\xff"), "\"\u{fffd}\"");
        assert_eq!(shown(&[b'k'; 64]).len(), 66);
        assert_eq!(shown(&[b'k'; 65]), format!("\"{}...\"", "k".repeat(64)));
    }
}
