//! What the command answers its caller.

/// Done.
pub const OK: u8 = 0;
/// Failed, in a way that has no code of its own.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// A namespace, a version, a record or a file that was named does not exist.
pub const NOT_FOUND: u8 = 3;
/// It exists already, somebody else holds it, or somebody else's commit came first.
pub const CONFLICT: u8 = 4;
/// The config is wrong or not there.
pub const CONFIG: u8 = 5;

/// The table of `hozo --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line is wrong
  3  a namespace, a version, a record or a file that was named does not exist
  4  it exists already, somebody else holds it, or somebody else's commit came first
  5  the config is wrong or not there

With --json, the fields that --help lists stay the same from version to version, and errors
are JSON on standard error: {\"error\": {\"exit_code\", \"kind\", \"message\", \"hints\"}}.

WHEN is a version (20 hex digits), 2026-11-21, 2026-11-21T09:30:00Z (UTC where no offset is
given), or how long ago: -5m, -1h30m.

Start with `hozo init`.";
