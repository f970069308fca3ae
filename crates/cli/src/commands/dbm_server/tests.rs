use std::fs;

use clap::Parser;
use hozo::Plan;
use hozo::traits::Role;
use tempfile::TempDir;

use super::*;
use crate::args::serve::LogLevel;
use crate::args::{Args, Command};
use crate::logging::To;

const ALL: [&str; 4] = ["hashdbm", "memory", "rocksdb", "sled"];

/// What a command line becomes; words are separated by spaces.
fn config_in(base: &Path, line: &str, backends: &[&str]) -> Done<Config> {
    let words = ["hozo", "dbm-server"].into_iter().chain(line.split_whitespace());
    match Args::try_parse_from(words).map_err(Failure::from)?.command {
        Command::DbmServer(args) => Config::of(&args, base, backends),
        other => panic!("{other:?}"),
    }
}

/// The config without comments and empty lines, `BASE` for the directory.
fn keys(line: &str) -> String {
    let base = TempDir::new().unwrap();
    let config = config_in(base.path(), line, &ALL).unwrap();
    let text = config.text.replace(base.path().to_str().unwrap(), "BASE");
    let kept = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    kept.collect::<Vec<_>>().join("\n")
}

/// What is said about a command line.
fn notes(line: &str) -> String {
    let base = TempDir::new().unwrap();
    let config = config_in(base.path(), line, &ALL).unwrap();
    for note in &config.notes {
        assert!(config.text.contains(&format!("# {note}\n")), "{note} is not in {}", config.text);
    }
    config.notes.join("\n")
}

/// What is wrong with a command line.
fn wrong(line: &str) -> String {
    let base = TempDir::new().unwrap();
    wrong_in(base.path(), line)
}

fn wrong_in(base: &Path, line: &str) -> String {
    match config_in(base, line, &ALL) {
        Ok(config) => panic!("{line} is {}", config.text),
        Err(failure) => format!("{failure:?}"),
    }
}

const TINY: &str =
    "[store.dbm-0]\nbackend = \"memory\"\n[[dbm]]\nname = \"tiny\"\nstore = \"dbm-0\"";

#[test]
fn nothing_is_a_dbm_in_memory_for_this_machine() {
    let frontend = "[[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:1978\"\nstop_timeout_s = 60";
    assert_eq!(keys(""), format!("{TINY}\n{frontend}"));
    assert!(notes("").contains("0.0.0.0:1978"));
}

#[test]
fn each_flag_is_in_the_config() {
    for (line, expected) in [
        ("--address 127.0.0.1:0", "listen = \"127.0.0.1:0\"\nstop_timeout_s = 60"),
        ("--address localhost:1", "listen = \"localhost:1\"\nstop_timeout_s = 60"),
        ("--address unix:run/x.sock", "listen = \"unix:BASE/run/x.sock\"\nstop_timeout_s = 60"),
        (
            "--address 0.0.0.0:1978",
            "listen = \"0.0.0.0:1978\"\ninsecure = true\nstop_timeout_s = 60",
        ),
        (
            "--auth ssl:key=k,cert=/c,root=r",
            "listen = \"0.0.0.0:1978\"\n\
             tls = { cert = \"/c\", key = \"BASE/k\", client_ca = \"BASE/r\" }\nstop_timeout_s = 60",
        ),
        (
            "--address 127.0.0.1:1 --threads 1k --shutdown_wait 0.5 --async",
            "listen = \"127.0.0.1:1\"\nthreads = 1000\nstop_timeout_s = 1",
        ),
    ] {
        let frontend = format!("[[frontend]]\nkind = \"rpc\"\n{expected}");
        assert_eq!(keys(line), format!("{TINY}\n{frontend}"), "{line}");
    }
}

#[test]
fn dbms_are_in_backends_of_their_kind() {
    for (expression, backend, path, name) in [
        ("casket.tkh", "hashdbm", "BASE/casket.tkh", "casket.tkh"),
        ("/x/casket.HASH", "hashdbm", "/x/casket.HASH", "casket.HASH"),
        ("casket.tkh#num_buckets=1m,align_pow=4", "hashdbm", "BASE/casket.tkh", "casket.tkh"),
        ("casket.tkh#num_shards=4", "hashdbm", "BASE/casket.tkh", "casket.tkh"),
        ("a.tkt", "rocksdb", "BASE/a.tkt", "a.tkt"),
        ("a.tks", "rocksdb", "BASE/a.tks", "a.tks"),
        ("a.tkt#dbm=HashDBM", "hashdbm", "BASE/a.tkt", "a.tkt"),
        ("plain#dbm=hash", "hashdbm", "BASE/plain", "plain"),
        ("b.tkmt", "hashdbm", "BASE/b.tkmt", "b.tkmt"),
        ("b.flat", "hashdbm", "BASE/b.flat", "b.flat"),
        ("b.tkmb", "rocksdb", "BASE/b.tkmb", "b.tkmb"),
        ("b.stdhash", "hashdbm", "BASE/b.stdhash", "b.stdhash"),
        ("#dbm=tiny,num_buckets=10", "memory", "", "tiny"),
        ("#dbm=baby", "memory", "", "baby"),
        ("#dbm=cache,cap_rec_num=5", "memory", "", "cache"),
        ("#dbm=stdtree,name=queue", "memory", "", "queue"),
        ("wörld.tkh#name=world", "hashdbm", "BASE/wörld.tkh", "world"),
        ("wörld.tkh", "hashdbm", "BASE/wörld.tkh", "w_rld.tkh"),
    ] {
        let path = if path.is_empty() { String::new() } else { format!("path = \"{path}\"\n") };
        let expected = format!(
            "[store.dbm-0]\nbackend = \"{backend}\"\n{path}[[dbm]]\nname = \"{name}\"\nstore = \"dbm-0\""
        );
        let keys = keys(expression);
        assert_eq!(keys.split("\n[[frontend]]").next(), Some(&*expected), "{expression}");
    }
}

#[test]
fn ordered_dbms_want_an_ordered_backend() {
    let base = TempDir::new().unwrap();
    let sled = config_in(base.path(), "a.tkt", &["hashdbm", "memory", "sled"]).unwrap();
    assert!(sled.text.contains("backend = \"sled\""), "{}", sled.text);
    let none = config_in(base.path(), "a.tkt", &["hashdbm", "memory"]).err().unwrap();
    let none = format!("{none:?}");
    assert!(none.contains("rocksdb and sled") && none.contains("make install"), "{none}");
}

#[test]
fn several_dbms_keep_their_order_and_their_names() {
    let text = keys("b.tkh #dbm=tiny a.tkh # #dbm=tiny");
    let names = text.lines().filter_map(|line| line.strip_prefix("name = "));
    let expected = ["\"b.tkh\"", "\"tiny\"", "\"a.tkh\"", "\"tiny-2\"", "\"tiny-3\""];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    assert!(wrong("x/a.tkh y/a.tkh").contains("PATH#name=NAME"));
    keys("x/a.tkh y/a.tkh#name=other");
    let many = "#dbm=tiny ".repeat(201);
    assert!(wrong(&many).contains("at most 200"));
}

#[test]
fn a_log_and_a_master_are_replication() {
    for (line, expected) in [
        ("--server_id 5", ""),
        ("--ulog_prefix ulog --server_id 2", "server_id = 2\ndir = \"BASE/ulog\"\nkeep = \"7d\""),
        (
            "--ulog_prefix /x/ulog/ --ulog_max_file_size 1Gi",
            "server_id = 1\ndir = \"/x/ulog\"\nsegment_bytes = 1073741824\nkeep = \"7d\"",
        ),
        (
            "--ulog_prefix ulog --ulog_max_file_size 1m",
            "server_id = 1\ndir = \"BASE/ulog\"\nsegment_bytes = 1048576\nkeep = \"7d\"",
        ),
        (
            "--ulog_prefix ulog --ulog_max_file_size 64gi",
            "server_id = 1\ndir = \"BASE/ulog\"\nsegment_bytes = 1073741824\nkeep = \"7d\"",
        ),
        (
            "--ulog_prefix ulog --repl_master db2:1978 --repl_ts_skew -5k",
            "server_id = 1\ndir = \"BASE/ulog\"\nkeep = \"7d\"\nfollow = \"http://db2:1978\"\n\
             role = \"master\"\ntimestamp_skew_ms = -5000",
        ),
        (
            "--repl_master unix:a.sock --repl_ts_file ts",
            "server_id = 1\ndir = \"BASE/ts.ulog\"\nkeep = \"7d\"\n\
             follow = \"unix:BASE/a.sock\"\nrole = \"follower\"",
        ),
        (
            "--ulog_prefix u --repl_master db2:1 --repl_auth ssl:key=k,cert=c,root=r",
            "server_id = 1\ndir = \"BASE/u\"\nkeep = \"7d\"\nfollow = \"https://db2:1\"\n\
             role = \"master\"\nfollow_ca = \"BASE/r\"\nfollow_cert = \"BASE/c\"\n\
             follow_key = \"BASE/k\"",
        ),
    ] {
        let keys = keys(line);
        let (_, after) = keys.split_once("store = \"dbm-0\"\n").unwrap();
        let section = after.split_once("[[frontend]]").unwrap().0.trim_end();
        let section = section.strip_prefix("[replication.main]\nkind = \"ulog\"\n");
        assert_eq!(section.unwrap_or_default(), expected, "{line}");
    }
    // Without another place, the log is beside the first DBM that has one.
    let beside = keys("#dbm=tiny a.tkh --repl_master db2:1978");
    assert!(beside.contains("dir = \"BASE/a.tkh.ulog\""), "{beside}");
    assert!(wrong("--repl_master db2:1978").contains("--ulog_prefix"));
}

#[test]
fn nothing_is_passed_over_in_silence() {
    for (line, words) in [
        ("--address 0.0.0.0:1978", "everybody who can reach 0.0.0.0:1978"),
        ("--log_date simple", "w3cdtf_micro, not simple"),
        ("--log_td 3600", "UTC"),
        ("--server_id 5", "--server_id is without effect"),
        ("--ulog_max_file_size 1m", "--ulog_max_file_size is without effect"),
        ("--ulog_prefix u --ulog_max_file_size 1m", "1000000 is 1048576"),
        ("--ulog_prefix u", "7 days"),
        ("--repl_ts_file x", "--repl_ts_file is without effect"),
        ("--repl_ts_from_dbm", "--repl_ts_from_dbm is without effect"),
        ("--repl_ts_skew 1", "--repl_ts_skew is without effect"),
        ("--repl_wait 1", "--repl_wait is without effect"),
        ("--ulog_prefix u --repl_master a:1 --repl_wait -1", "--repl_wait is without effect"),
        ("--ulog_prefix u --repl_master a:1 --repl_ts_from_dbm", "never in a DBM"),
        ("--ulog_prefix u --repl_master a:1 --repl_ts_file x", "the file is not written"),
        ("a.tkh --repl_master a:1", "clients only read here"),
        ("--shutdown_wait 1.5", "1.5 is 2 here"),
        ("a.tkh#num_buckets=5,offset_width=4", "num_buckets, offset_width"),
        ("a.tkh#record_comp_mode=zstd", "not zstd"),
        ("#dbm=cache,cap_mem_size=1Gi", "nothing is dropped"),
        ("a.tkmt", "each update is on the disk"),
    ] {
        let notes = notes(line);
        assert!(notes.contains(words), "no {words:?} about {line} in {notes}");
    }
    let base = TempDir::new().unwrap();
    fs::write(base.path().join("ts"), "1795306391183\n").unwrap();
    fs::write(base.path().join("u.0000000000"), "TkrzwMQX\n").unwrap();
    let line = "--ulog_prefix u --repl_master a:1 --repl_ts_file ts";
    let notes = config_in(base.path(), line, &ALL).unwrap().notes.join("\n");
    assert!(notes.contains("1795306391183") && notes.contains("u.0000000000"), "{notes}");
}

#[test]
fn what_cannot_be_is_refused() {
    for (line, words) in [
        ("--read_only", "hozo token new"),
        ("--address nonsense", "--address"),
        ("--address unix:x --auth ssl:key=k,cert=c,root=r", "Unix socket"),
        ("--auth password", "ssl:key=FILE"),
        ("--threads 0", "--threads is from 1"),
        ("--threads many", "64Mi"),
        ("--log_level loud", "debug, info"),
        ("--log_date yesterday", "rfc1123"),
        ("--shutdown_wait -1", "--shutdown_wait"),
        ("--ulog_prefix u --server_id 0", "1 to 2147483647"),
        ("--ulog_prefix u --ulog_max_file_size -1", "above 0"),
        ("--ulog_prefix u --repl_master unix:x --repl_auth ssl:key=k,cert=c,root=r", "Unix socket"),
        ("--repl_wait_time 1", "--repl_wait_time"),
        ("--server_id 1 --server_id 2", "--server_id"),
        ("a.tkh#cipher_key=x", "not encrypted"),
        ("a.tkh#record_comp_mode=record_comp_aes", "not encrypted"),
        ("a.tkt#key_comparator=decimal", "order of their bytes"),
        ("a.tkh#ulog_prefix=x", "--ulog_prefix"),
        ("a.tkh#bucket=5", "there is no parameter"),
        ("a.tkh#dbm=polly", "there is no kind of DBM"),
        ("a.tkh#x#y", "one #"),
        ("#dbm=hash", "has a path"),
        ("a.txt", "#dbm=hash"),
        (".tkh#dbm=hash", "#name=NAME"),
    ] {
        let wrong = wrong(line);
        assert!(wrong.contains(words), "no {words:?} about {line} in {wrong}");
    }
}

#[test]
fn files_of_tkrzw_stay_as_they_are() {
    let base = TempDir::new().unwrap();
    for (file, bytes, path, words) in [
        ("a.tkh", &b"TkrzwHDB\n\0\0"[..], "a.tkh", "HashDBM"),
        ("a.tkt", b"TkrzwHDB\n\0\0", "a.tkt", "export --dbm tree"),
        ("a.tks", b"TkrzwSDB\n", "a.tks", "SkipDBM"),
        ("a.flat", b"\xff\x01k\xff\x01v", "a.flat", "a.flat.hozo import"),
        ("a.tkmb", b"", "a.tkmb", "not of Hozo's"),
        ("s.tkh-00000-of-00002", b"TkrzwHDB\n", "s.tkh", "export --dbm shard"),
    ] {
        let file = base.path().join(file);
        fs::write(&file, bytes).unwrap();
        let wrong = wrong_in(base.path(), path);
        assert!(wrong.contains(words) && wrong.contains(".hozo#dbm="), "{path}: {wrong}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
    // What is ours is a directory.
    fs::create_dir(base.path().join("b.tkh")).unwrap();
    config_in(base.path(), "b.tkh", &ALL).unwrap();
}

#[test]
fn where_log_lines_go_is_the_process_s_matter() {
    let base = TempDir::new().unwrap();
    for (line, log, level, words) in [
        ("", To::Stderr, LogLevel::Info, "hozo serve --config FILE\n"),
        ("--log_file /dev/stdout", To::Stdout, LogLevel::Info, "--log-file \"/dev/stdout\"\n"),
        (
            "--log_file x.log --log_level fatal --pid_file pid",
            To::File("x.log".into()),
            LogLevel::Error,
            "FILE --pid-file \"pid\" --log-file \"x.log\" --log-level error\n",
        ),
        ("--log_level none --daemon", To::Stderr, LogLevel::Off, "--log-level off\n# --daemon"),
    ] {
        let config = config_in(base.path(), line, &ALL).unwrap();
        assert_eq!((&config.log, config.log_level), (&log, level), "{line}");
        assert!(config.text.contains(words), "no {words:?} in {}", config.text);
    }
}

/// The config is one, whatever the names on the command line are.
#[test]
fn every_config_is_accepted() {
    let base = TempDir::new().unwrap();
    let backends: Vec<&str> = Registry::builtin().names().collect();
    for line in [
        "",
        "a.tkh b.tkh#num_buckets=5 # --address 0.0.0.0:1978 --threads 3 --shutdown_wait 0.2",
        "a.tkh --auth ssl:key=k,cert=c,root=r --log_file l --pid_file p --daemon --async",
        "a.tkh --ulog_prefix u --ulog_max_file_size 3m --server_id 7",
        "a.tkh --repl_master db2:1978 --repl_ts_file ts --repl_ts_skew -3 --repl_wait 2",
        "a.tkh --ulog_prefix u --repl_master db2:1978 --repl_auth ssl:key=k,cert=c,root=r",
        "a\"b\\c\u{7f}\u{1}.tkh#name=odd --ulog_prefix u\u{1}\u{7f}",
    ] {
        let config = config_in(base.path(), line, &backends).unwrap();
        let plan = Plan::from_text("config", &config.text, base.path(), &Registry::serving());
        let plan = plan.unwrap_or_else(|problems| panic!("{line}: {problems}\n{}", config.text));
        if line.contains("--ulog_prefix u --repl_master") {
            assert_eq!(plan.replication().unwrap().role(), Role::DualMaster);
        }
        if line.contains("odd") {
            let expected = base.path().join("a\"b\\c\u{7f}\u{1}.tkh");
            assert_eq!(plan.stores()[0].path(), Some(&*expected));
        }
    }
}
