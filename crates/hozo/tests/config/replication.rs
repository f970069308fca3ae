//! What configs say about replication.

use std::path::Path;
use std::time::Duration;

#[cfg(feature = "rpc")]
use hozo::traits::{Durability, KvStoreExt, exec::block_on};
use hozo::traits::{ErrorKind, Role};
use hozo::{Plan, Problems, Registry, ReplicationPlan, Secret, Stack};
use tempfile::TempDir;

use crate::{check_in, problems};

const HEADER: &str = "[store.m]\nbackend = \"memory\"\n[[dbm]]\nname = \"casket\"\n";
const NEEDED: &str = "[replication.main]\nkind = \"ulog\"\nserver_id = 1\ndir = \"ulog\"\n";

/// The problems of a section that has what is needed, and these keys from line 9 on.
fn wrong(keys: &str) -> Vec<String> {
    problems(&format!("{HEADER}{NEEDED}{keys}\n"))
}

fn plan_in(base: &Path, keys: &str) -> Result<ReplicationPlan, Problems> {
    let plan = check_in(base, &format!("{HEADER}{NEEDED}{keys}\n"))?;
    Ok(plan.replication().unwrap().clone())
}

#[test]
fn a_log_has_defaults() {
    let base = TempDir::new().unwrap();
    let plan = plan_in(base.path(), "").unwrap();
    assert_eq!((plan.name(), plan.kind(), plan.server_id().get()), ("main", "ulog", 1));
    assert_eq!(plan.dir(), base.path().join("ulog"));
    assert_eq!((plan.follow(), plan.role()), (None, Role::Master));
    assert_eq!((plan.ack(), plan.ack_timeout()), (0, Duration::from_secs(5)));
    assert_eq!((plan.segment_bytes(), plan.keep_bytes()), (64 << 20, 10 << 30));
    assert_eq!(plan.keep(), Duration::from_secs(7 * 86_400));
    assert_eq!((plan.follow_token(), plan.follow_ca(), plan.follow_identity()), (None, None, None));
    assert_eq!(plan.timestamp_skew_ms(), 0);
    assert!(check_in(base.path(), HEADER).unwrap().replication().is_none());
    // Nothing is made by looking.
    assert!(!plan.dir().exists());
}

#[test]
fn everything_can_be_said() {
    let base = TempDir::new().unwrap();
    let plan = plan_in(
        base.path(),
        "follow = \"https://db2:1978\"\nrole = \"master\"\nack = 2\nack_timeout_ms = 100\n\
         segment_bytes = 65536\nkeep = \"1w2d12h\"\nkeep_bytes = 65536\n\
         follow_token_file = \"secret/token\"\nfollow_ca = \"ca.pem\"\n\
         follow_cert = \"/etc/client.pem\"\nfollow_key = \"../client.key\"\n\
         timestamp_skew_ms = -5000",
    )
    .unwrap();
    assert_eq!((plan.follow(), plan.role()), (Some("https://db2:1978"), Role::DualMaster));
    assert_eq!((plan.ack(), plan.ack_timeout()), (2, Duration::from_millis(100)));
    assert_eq!((plan.segment_bytes(), plan.keep_bytes()), (65_536, 65_536));
    assert_eq!(plan.keep(), Duration::from_secs(9 * 86_400 + 12 * 3600));
    assert_eq!(plan.follow_token(), Some(&Secret::File(base.path().join("secret/token"))));
    assert_eq!(plan.follow_ca(), Some(&*base.path().join("ca.pem")));
    let key = base.path().parent().unwrap().join("client.key");
    assert_eq!(plan.follow_identity(), Some((Path::new("/etc/client.pem"), &*key)));
    assert_eq!(plan.timestamp_skew_ms(), -5000);
}

#[test]
fn who_follows_is_a_follower_unless_a_master() {
    let base = TempDir::new().unwrap();
    let role = |keys: &str| plan_in(base.path(), keys).unwrap().role();
    assert_eq!(role("follow = \"db2:1978\""), Role::Follower);
    assert_eq!(role("follow = \"db2:1978\"\nrole = \"follower\""), Role::Follower);
    assert_eq!(role("role = \"master\""), Role::Master);
    assert_eq!(wrong("role = \"follower\""), ["9:8 a follower has a server that it follows"]);
    let socket = plan_in(base.path(), "follow = \"unix:run/dbm.sock\"").unwrap();
    let absolute = format!("unix:{}", base.path().join("run/dbm.sock").display());
    assert_eq!(socket.follow(), Some(&*absolute));
}

#[test]
fn namespaces_are_those_that_rules_map_unless_others_are_named() {
    let base = TempDir::new().unwrap();
    let stores = "[store.a]\nbackend = \"memory\"\n[store.b]\nbackend = \"memory\"\n\
                  [store.c]\nbackend = \"memory\"\n[[dbm]]\nname = \"casket\"\n";
    let plan = |keys: &str, rules: &str| {
        let plan = check_in(base.path(), &format!("{stores}{NEEDED}{keys}\n{rules}")).unwrap();
        plan.replication().unwrap().namespaces().to_vec()
    };
    assert_eq!(plan("", ""), [""; 0]);
    let rules = "[[namespace]]\nmatch = \"x\"\nstore = \"c\"\n[[namespace]]\nmatch = \"y\"\n\
                 [[namespace]]\nmatch = \"z\"\nstore = \"c\"\n";
    assert_eq!(plan("", rules), ["a", "c"]);
    assert_eq!(plan("namespaces = []", rules), [""; 0]);
    assert_eq!(plan("namespaces = [\"c\", \"b\"]", rules), ["b", "c"]);
    assert_eq!(
        wrong("namespaces = [\"n\", \"m\", \"m\"]"),
        ["9:15 there is no store `n`", "9:25 `m` is named twice"]
    );
}

#[test]
fn of_two_masters_one_is_the_home() {
    let base = TempDir::new().unwrap();
    let home = |keys: &str| plan_in(base.path(), keys).unwrap().home();
    assert!(!home("follow = \"db2:1978\"\nrole = \"master\""));
    assert!(home("follow = \"db2:1978\"\nrole = \"master\"\nhome = true"));
    assert!(home("home = true"));
    assert_eq!(
        wrong("follow = \"db2:1978\"\nhome = true"),
        ["10:8 a follower is not the home of namespaces"]
    );
}

/// A process that is not the server: it opens no log, and knows all the same.
#[test]
fn who_is_no_server_commits_only_at_the_home() {
    let base = TempDir::new().unwrap();
    let stack = |keys: &str| {
        let rule = "[[namespace]]\nmatch = \"app\"\n";
        let plan = check_in(base.path(), &format!("{HEADER}{rule}{NEEDED}{keys}\n")).unwrap();
        Stack::open(plan)
    };
    let create = |stack: &Stack| stack.create(&"app".parse().unwrap());
    create(&stack("")).unwrap();
    let error = create(&stack("follow = \"db2:1978\"")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("source db2:1978"), "{error}");
    // It was promoted while it ran.
    std::fs::create_dir(base.path().join("ulog")).unwrap();
    std::fs::write(base.path().join("ulog/role"), "hozo role 1\nmaster\n\n").unwrap();
    create(&stack("follow = \"db2:1978\"")).unwrap();
    // Of a store that is left out, nothing is known.
    std::fs::remove_file(base.path().join("ulog/role")).unwrap();
    create(&stack("follow = \"db2:1978\"\nnamespaces = []")).unwrap();
}

#[test]
fn what_is_wrong_with_the_values_is_told_at_their_places() {
    assert_eq!(
        problems(&format!(
            "{HEADER}[replication.\"a b\"]\nkind = \"ulgo\"\nserver_id = 0\ndir = \"\"\n\
             follow = \"db2\"\nrole = \"mastre\"\nack = 101\nack_timeout_ms = 0\n\
             segment_bytes = 70000\nkeep = \"-7d\"\nkeep_bytes = 5\nfollow_token = \"x\"\n\
             follow_token_file = \"y\"\nfollow_ca = \"\"\nfollow_cert = \"c\"\n\
             timestamp_skew_ms = 281474976710656\n"
        )),
        [
            "5:14 \"a b\" cannot be the name of a replication",
            "6:8 unknown kind of replication `ulgo` | did you mean `ulog`?",
            "7:13 a server id is a number from 1 to 2147483647, not 0",
            "8:7 the update log needs a directory",
            "9:10 the address lacks a host or a port",
            "10:8 unknown role `mastre` | did you mean `master`?",
            "11:7 `ack` is from 0 to 100, not 101",
            "12:18 `ack_timeout_ms` is from 1 to 3600000, not 0",
            "13:17 a segment's size is a power of two, not 70000",
            "14:8 \"-7d\" is no age",
            "17:21 `follow_token` and `follow_token_file` both say the token: give one of them",
            "18:13 `follow_ca` is a file, which has a name",
            "19:15 `follow_cert` and `follow_key` go together",
            "20:21 `timestamp_skew_ms` is from -281474976710655 to 281474976710655",
        ]
    );
}

#[test]
fn what_is_missing_is_told_with_an_example() {
    let base = TempDir::new().unwrap();
    let text = "[store.m]\nbackend = \"memory\"\n[replication.main]\nfolow = \"db2:1978\"\n";
    assert_eq!(
        problems(text),
        [
            "3:1 [replication.main] has no `kind`",
            "3:1 [replication.main] has no DBM to replicate",
            "3:1 [replication.main] has no `server_id`",
            "3:1 [replication.main] has no `dir`",
            "4:1 unknown key `folow` in [replication.main] | did you mean `follow`?",
        ]
    );
    let shown = check_in(base.path(), text).unwrap_err().to_string();
    for words in ["such as: kind = \"ulog\"", "server_id = 1", "dir = \"data/ulog\"", "[[dbm]]"] {
        assert!(shown.contains(words), "no {words:?} in {shown}");
    }
    assert_eq!(
        problems(&format!("{HEADER}[replication]\nkind = \"ulog\"\n")),
        [
            "6:1 `kind` is not in a replication with a name | write [replication.NAME] above it, such as [replication.main]"
        ]
    );
    assert_eq!(
        problems(&format!("{HEADER}[[replication]]\nkind = \"ulog\"\n")),
        ["5:1 `replication` is a section with a name | write [replication.NAME]"]
    );
}

#[test]
fn there_is_one_log() {
    assert_eq!(
        wrong("[replication.other]\nkind = \"ulog\"\nserver_id = 2\ndir = \"other\""),
        ["9:14 a config has one section [replication.NAME]"]
    );
}

#[test]
fn the_log_of_a_cluster_is_not_here_yet() {
    let base = TempDir::new().unwrap();
    let text = format!("{HEADER}[replication.main]\nkind = \"fdb-native\"\nprefix = \"x\"\n");
    assert_eq!(problems(&text), ["6:8 replication `fdb-native` is not in this version of Hozo"]);
    let shown = check_in(base.path(), &text).unwrap_err().to_string();
    assert!(shown.contains("backend `fdb`") && shown.contains("kinds: `ulog`"), "{shown}");
}

#[test]
fn the_log_has_a_directory_of_its_own() {
    let base = TempDir::new().unwrap();
    std::fs::create_dir_all(base.path().join("data/main")).unwrap();
    std::os::unix::fs::symlink("data/main", base.path().join("link")).unwrap();
    let told_of = |store: &str, dir: &str| {
        let text = format!(
            "[store.first]\nbackend = \"hashdbm\"\npath = \"{store}\"\n[[dbm]]\nname = \"casket\"\n\
             [replication.main]\nkind = \"ulog\"\nserver_id = 1\ndir = \"{dir}\"\n"
        );
        let found = check_in(base.path(), &text).err();
        found.map(|found| found.in_one_line().split("; ").next().unwrap().to_owned())
    };
    let told = |dir: &str| told_of("data/main", dir);
    let first = |what: &str| Some(format!("hozo.toml:9:7: this {what} [store.first]"));
    assert_eq!(told("data/ulog"), None);
    assert_eq!(told("data/main"), first("is the directory of"));
    assert_eq!(told("data/x/../main"), first("is the directory of"));
    assert_eq!(told("data/main/ulog"), first("is in the directory of"));
    assert_eq!(told("link/ulog"), first("is in the directory of"));
    assert_eq!(told_of("link", "data/main/ulog"), first("is in the directory of"));
    assert_eq!(told("data"), first("has in it the directory of"));
    let absent = told("absent/ulog").unwrap();
    assert!(absent.contains("absent does not exist"), "{absent}");
    std::fs::write(base.path().join("file"), "").unwrap();
    assert!(told("file").unwrap().contains("is not a directory"));
}

#[test]
fn a_token_is_shown_to_nobody() {
    let base = TempDir::new().unwrap();
    let plan = plan_in(base.path(), "follow = \"db2:1978\"\nfollow_token = \"hunter2\"").unwrap();
    assert_eq!(plan.follow_token().unwrap().read().unwrap(), "hunter2");
    let shown = format!("{plan:?}");
    assert!(shown.contains("db2:1978") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(wrong("follow_token = \" \""), ["9:16 a token is not empty"]);
}

#[test]
fn ages_and_sizes_have_bounds() {
    assert_eq!(
        wrong("keep = \"36525d\"\nkeep_bytes = 67108863"),
        ["10:14 `keep_bytes` is less than a segment, 67108864 bytes"]
    );
    for age in ["", "7", "d", "7x", "1d7w", "99999999999999999999d"] {
        let found = wrong(&format!("keep = {age:?}"));
        assert_eq!(found, [format!("9:8 {age:?} is no age")]);
    }
    assert_eq!(wrong("keep = \"36526d\""), ["9:8 `keep` is at most 36525d"]);
    assert_eq!(
        wrong("timestamp_skew_ms = \"x\""),
        [
            "9:21 `timestamp_skew_ms` in [replication.main]: this is of another type: string \"x\", expected a whole number"
        ]
    );
    assert_eq!(
        wrong("timestamp_skew_ms = 5"),
        ["9:21 `timestamp_skew_ms` is about the server that is followed"]
    );
}

/// Updates that go past the log would be missing from it.
#[test]
#[cfg(not(feature = "rpc"))]
fn what_has_a_log_is_not_opened_without_it() {
    let base = TempDir::new().unwrap();
    let text = format!("{HEADER}{NEEDED}");
    let plan = Plan::from_text("hozo.toml", &text, base.path(), &Registry::builtin()).unwrap();
    let stack = Stack::open(plan);
    let error = stack.dbm(&stack.plan().dbms()[0]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = stack.replicator().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
#[cfg(feature = "rpc")]
fn updates_of_a_dbm_of_the_stack_are_in_its_log() {
    let base = TempDir::new().unwrap();
    let header = HEADER.replace("\"memory\"", "\"hashdbm\"\npath = \"data\"");
    let text = format!("{header}{NEEDED}");
    let plan = || Plan::from_text("hozo.toml", &text, base.path(), &Registry::builtin()).unwrap();
    let dir = plan().replication().unwrap().dir().to_owned();
    let stack = Stack::open(plan());
    let dbm = stack.dbm(&stack.plan().dbms()[0]).unwrap();
    let set = dbm.records.set("a key".into(), "a value".into(), true, Durability::Durable);
    block_on(set).unwrap();
    let segments: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    let logged = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(7).any(|window| window == b"a value")
    };
    assert!(segments.iter().any(logged), "{segments:?}");
    drop(dbm);
    stack.close();
    let stack = Stack::open(plan());
    let dbm = stack.dbm(&stack.plan().dbms()[0]).unwrap();
    let value = block_on(dbm.records.get(&"a key".into())).unwrap();
    assert_eq!(value.as_deref(), Some(&b"a value"[..]));
}
