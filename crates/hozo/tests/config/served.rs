//! What configs say about DBMs, and about frontends of other processes.

use hozo::{Plan, Registry};
use tempfile::TempDir;

use crate::{check_in, problems};

#[test]
fn what_is_wrong_with_dbms_is_told_at_its_place() {
    assert_eq!(
        problems(
            r#"[store.main]
backend = "memory"
[[dbm]]
name = "casket"
store = "mian"
durability = "durabel"
[[dbm]]
name = "a/b"
[[dbm]]
nam = ".hidden"
[[dbm]]
store = "main"
[[dbm]]
name = "twice"
[[dbm]]
name = 7
keep = 1
[[dbm]]
name = "twice"
"#
        ),
        [
            "5:9 there is no store `mian` | did you mean `main`?",
            "6:14 unknown durability `durabel` | did you mean `durable`?",
            "8:8 \"a/b\" cannot be the name of a DBM",
            "10:1 unknown key `nam` in [[dbm]] | did you mean `name`?",
            "10:7 \".hidden\" cannot be the name of a DBM",
            "11:1 [[dbm]] has no `name`",
            "16:8 `name` in [[dbm]]: this is of another type: integer `7`, expected a string",
            "17:1 unknown key `keep` in [[dbm]]",
            "19:8 there are two DBMs `twice`",
        ]
    );
    let header = "[store.m]\nbackend = \"memory\"\n";
    assert_eq!(
        problems(&format!("{header}[dbm]\nname = \"x\"\n")),
        ["3:1 there can be several [[dbm]], so it has two brackets | write [[dbm]]"]
    );
    let base = TempDir::new().unwrap();
    let shown = check_in(base.path(), &format!("{header}[[dbm]]\nname = \"\"\n")).unwrap_err();
    let rule = "a DBM's name is 1 to 64 of a-z A-Z 0-9 _ - . and does not begin with a dot";
    assert!(shown.to_string().contains(rule), "{shown}");
}

#[test]
fn a_frontend_of_another_process_is_left_to_it_but_not_by_the_one_that_serves() {
    let base = TempDir::new().unwrap();
    let text = "[store.m]\nbackend = \"memory\"\n[[frontend]]\nkind = \"rpc\"\nlisten = \"unix:x\"\nnonsense = 1\n\
        [[frontend]]\nkind = \"vfs\"\n[[frontend]]\nkind = \"fuse\"\n\
        [[dbm]]\nname = \"casket\"\n";
    let plan = check_in(base.path(), text).unwrap();
    let kinds: Vec<_> = plan.frontends().iter().map(|one| (one.kind(), one.is_served())).collect();
    assert_eq!(kinds, [("rpc", false), ("vfs", false), ("fuse", false)]);
    assert!(plan.frontends().iter().all(|one| one.claims().is_empty()));
    let found = Plan::from_text("hozo.toml", text, base.path(), &Registry::serving()).unwrap_err();
    let found: Vec<_> =
        found.iter().map(|p| (p.line(), p.column(), p.message().to_owned())).collect();
    let rpc = match cfg!(feature = "rpc") {
        true => (Some(6), Some(1), "unknown key `nonsense` in [[frontend]]".to_owned()),
        false => (Some(4), Some(8), "this build has no frontend `rpc`".to_owned()),
    };
    let fuse = "frontend `fuse` is not in this version of Hozo".to_owned();
    assert_eq!(found, [rpc, (Some(10), Some(8), fuse)]);
}

#[cfg(feature = "rpc")]
#[test]
fn what_is_wrong_with_the_networked_dbm_is_told_at_its_place() {
    let rpc = |dbm: &str, keys: &str| {
        let text =
            format!("[store.m]\nbackend = \"memory\"\n{dbm}[[frontend]]\nkind = \"rpc\"\n{keys}\n");
        let found = Plan::from_text("hozo.toml", &text, "/x", &Registry::serving());
        found.map_err(|found| {
            let shown = |p: &hozo::Problem| {
                format!("{}:{} {}", p.line().unwrap(), p.column().unwrap(), p.message())
            };
            found.iter().map(shown).collect::<Vec<_>>().join("\n")
        })
    };
    const DBM: &str = "[[dbm]]\nname = \"casket\"\n";
    let plan = rpc(DBM, "listen = [\"127.0.0.1:1978\", \"unix:run/dbm.sock\"]").unwrap();
    let claims: Vec<_> = plan.frontends()[0].claims().iter().map(ToString::to_string).collect();
    assert_eq!(claims, ["127.0.0.1:1978", "unix:/x/run/dbm.sock"]);
    let open = rpc(DBM, "listen = \"0.0.0.0:1978\"").unwrap_err();
    assert!(open.starts_with("7:10 ") && open.contains("insecure = true"), "{open}");
    rpc(DBM, "listen = \"0.0.0.0:1978\"\ninsecure = true").unwrap();
    let without = rpc("", "listen = \"127.0.0.1:0\"").unwrap_err();
    assert_eq!(without, "3:1 frontend `rpc` has no DBM to serve");
    let place = rpc(DBM, "listen = \"127.0.0.1\"").unwrap_err();
    assert!(place.starts_with("7:10 `listen` in [[frontend]]: "), "{place}");
    let cert = rpc(DBM, "listen = \"unix:x\"\ntls = { cert = \"\", key = \"k\" }").unwrap_err();
    assert!(cert.starts_with("8:7 ") && cert.contains("tls.cert"), "{cert}");
    let nothing = rpc(DBM, "").unwrap_err();
    assert_eq!(nothing, "5:1 [[frontend]] has no `listen`");
}
