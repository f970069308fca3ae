//! The flags about the update log and whom it follows, as `[replication.main]`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::super::toml::{Toml, absolute};
use super::dbms::Dbm;
use super::moved;
use crate::args::dbm_server::DbmServer;
use crate::args::server::Auth;
use crate::exit;
use crate::failure::{Done, Failure};

/// The least and the most that a segment of the log has.
const SEGMENT_BYTES: (u64, u64) = (64 << 10, 1 << 30);

/// Writes the section, if there is anything for it.
pub(super) fn write(args: &DbmServer, dbms: &[Dbm], base: &Path, to: &mut Toml) -> Done {
    let server_id = server_id(args)?;
    let master = args.repl_master.as_deref().filter(|master| !master.is_empty());
    let prefix = args.ulog_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    if prefix.is_none() && master.is_none() {
        idle(args, to);
        return Ok(());
    }
    to.gap();
    let dir = match prefix {
        Some(prefix) => absolute(prefix.trim_end_matches('/'), base)?,
        None => beside(args, dbms, base)?,
    };
    if let Some(file) = prefix.and_then(|_| moved::ulog_of(&dir)) {
        to.note(format!(
            "--ulog_prefix: {file} and what follows it are Tkrzw's; they are not read, and stay"
        ));
    }
    to.section("[replication.main]");
    to.key("kind", "\"ulog\"");
    to.key("server_id", server_id);
    match prefix {
        Some(_) => to.comment("--ulog_prefix: the log is a directory here."),
        None => to.note(format!(
            "--repl_master: how far it came is in an update log, so there is one: {dir}"
        )),
    }
    to.text_key("dir", &dir);
    segment(args, to)?;
    to.note(
        "keep: tkrzw_server keeps its update log until somebody removes files of it; here \
         updates go after 7 days, and those that followers need later",
    );
    to.key("keep", "\"7d\"");
    match master {
        Some(master) => follow(args, master, prefix.is_some(), base, to),
        None => {
            unfollowed(args, to);
            Ok(())
        }
    }
}

fn server_id(args: &DbmServer) -> Done<i64> {
    let id = args.server_id.unwrap_or(1);
    if (1..=i64::from(i32::MAX)).contains(&id) {
        return Ok(id);
    }
    let message = format!("--server_id is a number from 1 to 2147483647, not {id}");
    Err(Failure::new(exit::USAGE, message))
}

/// Flags that are about a log where there is none.
fn idle(args: &DbmServer, to: &mut Toml) {
    let given = [
        ("--server_id", args.server_id.is_some()),
        ("--ulog_max_file_size", args.ulog_max_file_size.is_some()),
    ];
    for (flag, _) in given.into_iter().filter(|(_, given)| *given) {
        to.note(format!("{flag} is without effect: there is no --ulog_prefix or --repl_master"));
    }
    unfollowed(args, to);
}

/// Flags that are about the server that is followed where there is none.
fn unfollowed(args: &DbmServer, to: &mut Toml) {
    let given = [
        ("--repl_auth", args.repl_auth.is_some()),
        ("--repl_ts_file", args.repl_ts_file.is_some()),
        ("--repl_ts_from_dbm", args.repl_ts_from_dbm),
        ("--repl_ts_skew", args.repl_ts_skew.is_some()),
        ("--repl_wait", args.repl_wait.is_some()),
    ];
    for (flag, _) in given.into_iter().filter(|(_, given)| *given) {
        to.note(format!("{flag} is without effect: there is no --repl_master"));
    }
}

/// The log of a server that follows and was not told where to have one.
fn beside(args: &DbmServer, dbms: &[Dbm], base: &Path) -> Done<String> {
    if let Some(file) = args.repl_ts_file.as_deref().filter(|file| !file.is_empty()) {
        return absolute(&format!("{file}.ulog"), base);
    }
    match dbms.iter().find_map(|dbm| dbm.path.as_ref()) {
        Some(path) => Ok(format!("{path}.ulog")),
        None => Err(Failure::new(
            exit::USAGE,
            "--repl_master needs a place for the update log, which says how far it came: \
             --ulog_prefix",
        )),
    }
}

fn segment(args: &DbmServer, to: &mut Toml) -> Done {
    let Some(given) = args.ulog_max_file_size else { return Ok(()) };
    let Some(bytes) = u64::try_from(given).ok().filter(|bytes| *bytes > 0) else {
        let message = format!("--ulog_max_file_size is a number above 0, not {given}");
        return Err(Failure::new(exit::USAGE, message));
    };
    let (least, most) = SEGMENT_BYTES;
    let segment = bytes.clamp(least, most).next_power_of_two();
    if segment != bytes {
        to.note(format!(
            "--ulog_max_file_size: {bytes} is {segment} here, a power of two from {least} to {most}"
        ));
    }
    to.key("segment_bytes", segment);
    Ok(())
}

fn follow(args: &DbmServer, master: &str, has_log: bool, base: &Path, to: &mut Toml) -> Done {
    let address = match (master.strip_prefix("unix:"), &args.repl_auth) {
        (Some(_), Some(_)) => {
            let message = "--repl_auth: a Unix socket has no certificates";
            return Err(Failure::new(exit::USAGE, message));
        }
        (Some(socket), None) => format!("unix:{}", absolute(socket, base)?),
        (None, Some(_)) => format!("https://{master}"),
        (None, None) => format!("http://{master}"),
    };
    to.text_key("follow", &address);
    if has_log {
        to.comment("One of two masters: with --ulog_prefix clients may change records here, too.");
        to.comment("\"follower\" is for a server that only follows.");
        to.key("role", "\"master\"");
    } else {
        to.note(
            "--repl_master without --ulog_prefix: clients only read here, as what they changed \
             would reach no other server",
        );
        to.key("role", "\"follower\"");
    }
    if let Some(Auth { key, cert, root }) = &args.repl_auth {
        for (name, file) in [("follow_ca", root), ("follow_cert", cert), ("follow_key", key)] {
            to.text_key(name, &absolute(&file.to_string_lossy(), base)?);
        }
    }
    if let Some(file) = &args.repl_ts_file {
        to.note(match timestamp(&base.join(file)) {
            None => "--repl_ts_file: how far it came is in the update log; the file is not written"
                .to_owned(),
            Some(timestamp) => format!(
                "--repl_ts_file: how far it came is in the update log; the {timestamp} in the file \
                 is not used, and the first start takes everything that the source has"
            ),
        });
    }
    if args.repl_ts_from_dbm {
        to.note("--repl_ts_from_dbm: how far it came is in the update log, never in a DBM");
    }
    if let Some(skew) = args.repl_ts_skew {
        to.comment("--repl_ts_skew: only a tkrzw_server is followed by time; Hozo by position.");
        to.key("timestamp_skew_ms", skew);
    }
    if args.repl_wait.is_some() {
        to.note("--repl_wait is without effect: updates come as they are made");
    }
    Ok(())
}

/// What a file of Tkrzw's says about how far it came.
fn timestamp(file: &Path) -> Option<i64> {
    let mut text = String::new();
    File::open(file).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
