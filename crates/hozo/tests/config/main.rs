//! Configs, right and wrong: what is reported, where, and how it reads.

mod replication;
mod served;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use hozo::traits::Durability;
use hozo::{Plan, Problems, Registry};
use proptest::prelude::*;
use tempfile::TempDir;

/// Checks `text` as a file in `base`.
fn check_in(base: &Path, text: &str) -> Result<Plan, Problems> {
    Plan::from_text("hozo.toml", text, base, &Registry::builtin())
}

/// The problems of `text`, one `line:column message` each.
fn problems(text: &str) -> Vec<String> {
    let base = TempDir::new().unwrap();
    let found = check_in(base.path(), text).expect_err("something is wrong");
    found
        .iter()
        .map(|p| {
            let hint = p.hint().map(|h| format!(" | {h}")).unwrap_or_default();
            format!("{}:{} {}{hint}", p.line().unwrap(), p.column().unwrap(), p.message())
        })
        .collect()
}

#[test]
fn a_right_config_becomes_a_plan() {
    let base = TempDir::new().unwrap();
    let plan = check_in(
        base.path(),
        r#"
        [store.first]
        backend = "memory"
        [store.second]
        backend = "memory"

        [[namespace]]
        match = "app/*"
        store = "second"
        concurrency = "optimistic"
        page_size = 8192

        [[dbm]]
        name = "casket"
        [[dbm]]
        name = "log"
        store = "second"
        durability = "durable"

        [cache]
        bytes = 1048576

        [[frontend]]
        kind = "vfs"
        "#,
    )
    .unwrap();
    let dbms =
        plan.dbms().iter().map(|dbm| (dbm.name(), dbm.store(&plan).name(), dbm.durability()));
    let expected =
        [("casket", "first", Durability::Sequenced), ("log", "second", Durability::Durable)];
    assert_eq!(dbms.collect::<Vec<_>>(), expected);
    let frontends = plan.frontends().iter().map(|one| (one.kind(), one.is_served()));
    assert_eq!(frontends.collect::<Vec<_>>(), [("vfs", false)]);
    assert_eq!(plan.stores().len(), 2);
    assert_eq!(plan.cache_bytes(), Some(1 << 20));
    assert_eq!(plan.store_of("app/x").name(), "second");
    assert_eq!(plan.store_of("other").name(), "first");
    assert!(plan.maps("app/x").is_some());
    assert!(plan.maps("app/x/y").is_none());
    let options = plan.create_options("app/x");
    assert_eq!(options.page_size.get(), 8192);
    assert_eq!(options.concurrency, hozo::pages::Concurrency::Optimistic);
    assert_eq!(plan.create_options("other"), hozo::pages::CreateOptions::default());
}

#[test]
fn stores_stay_in_the_order_of_the_file() {
    let base = TempDir::new().unwrap();
    let text = "[store.z]\nbackend = \"memory\"\n[store.a]\nbackend = \"memory\"\n";
    assert_eq!(check_in(base.path(), text).unwrap().store_of("any").name(), "z");
}

#[test]
fn every_error_comes_at_once_with_its_place() {
    let found = problems(
        r#"[store.main]
backend = "memry"

[store.other]
backend = 5

[[namespace]]
match = "app/*"
store = "mian"
concurrency = "serail"
page_size = 1000
keep = "7d"

[[namespace]]
matsh = "x"

[cache]
byte = 5

[replication.main]
kind = "ulog"

[[dbm]]
name = "casket"

[[frontend]]
kind = "rpcs"

[stroe.x]
"#,
    );
    assert_eq!(
        found,
        [
            "2:11 unknown backend `memry` | did you mean `memory`?",
            "5:11 `backend` in [store.other] is a string, not an integer",
            "9:9 there is no store `mian` | did you mean `main`?",
            "10:15 unknown concurrency `serail` | did you mean `serial`?",
            "11:13 a page size is a power of two from 512 to 65536 bytes, not 1000",
            "12:1 unknown key `keep` in [[namespace]]",
            "15:1 unknown key `matsh` in [[namespace]] | did you mean `match`?",
            "18:1 unknown key `byte` in [cache] | did you mean `bytes`?",
            "20:1 [replication.main] has no `server_id`",
            "20:1 [replication.main] has no `dir`",
            "27:8 unknown frontend `rpcs` | did you mean `rpc`?",
            "29:2 unknown section or key `stroe` | did you mean `store`?",
        ]
    );
}

#[test]
fn a_key_that_is_nearly_right_is_read_as_what_was_meant() {
    // Neither is told to be missing, and their values are judged.
    assert_eq!(
        problems("[store.m]\nbakend = \"memroy\"\n[[namespace]]\nmacth = \"/x\"\n"),
        [
            "2:1 unknown key `bakend` in [store.m] | did you mean `backend`?",
            "2:10 unknown backend `memroy` | did you mean `memory`?",
            "4:1 unknown key `macth` in [[namespace]] | did you mean `match`?",
            "4:9 no name can be of this pattern: a namespace's name cannot begin with '/'",
        ]
    );
    assert_eq!(
        problems("[store.m]\nbackend = \"memory\"\n[[namespace]]\npage_size = 512\n"),
        ["3:1 [[namespace]] has no `match`"]
    );
    assert_eq!(problems("[store.m]\n"), ["1:1 [store.m] has no `backend`"]);
}

#[test]
fn the_caret_is_below_what_is_meant_in_any_script() {
    let base = TempDir::new().unwrap();
    let carets = |line: &str| {
        let text = format!("[store.m]\nbackend = \"memory\"\n[[namespace]]\n{line}\n");
        let shown = check_in(base.path(), &text).unwrap_err().to_string();
        shown.lines().find(|l| l.contains('^')).unwrap().to_owned()
    };
    // These take two columns each on a terminal.
    assert_eq!(carets("match = \"枘\"\n\"枘枘\" = 1"), "  | ^^^^^^");
    assert_eq!(carets("match = \"枘/@\"\t# @"), "  |         ^^^^^^");
    assert_eq!(carets("match = \"枘\"; x"), "  |             ^");
}

#[test]
fn a_problem_reads_like_this() {
    let base = TempDir::new().unwrap();
    let text = "[store.main]\nbackend = \"memory\"\n\n[[namespace]]\nmatch = \"app/*\"\nstoer = \"main\"\n";
    let shown = check_in(base.path(), text).unwrap_err().to_string();
    let expected = "\
error: unknown key `stoer` in [[namespace]]
 --> hozo.toml:6:1
  |
6 | stoer = \"main\"
  | ^^^^^ did you mean `store`?
  = keys of [[namespace]]: `match`, `store`, `concurrency`, `page_size`";
    assert_eq!(shown, expected);
}

#[test]
fn wrong_types_are_told_at_the_value() {
    assert_eq!(
        problems(
            "[store.m]\nbackend = \"memory\"\n[cache]\nbytes = \"lots\"\n[[namespace]]\nmatch = 7\npage_size = -1\n"
        ),
        [
            "4:9 `bytes` in [cache]: this is of another type: string \"lots\", expected a whole number from 0 on",
            "6:9 `match` in [[namespace]]: this is of another type: integer `7`, expected a string",
            "7:13 `page_size` in [[namespace]]: this cannot be: integer `-1`, expected a whole number from 0 on",
        ]
    );
    let header = "[store.m]\nbackend = \"memory\"\n";
    assert_eq!(
        problems(&format!("{header}[namespace]\nmatch = \"x\"\n")),
        ["3:1 there can be several [[namespace]], so it has two brackets | write [[namespace]]"]
    );
    assert_eq!(
        problems("[store]\nbackend = \"memory\"\n"),
        [
            "2:1 `backend` is not in a store with a name | write [store.NAME] above it, such as [store.main]"
        ]
    );
    assert_eq!(
        problems("store = 1"),
        ["1:9 `store` is a section with a name | write [store.NAME]"]
    );
    assert_eq!(problems("# nothing\n"), ["1:1 the config has no store"]);
    assert_eq!(problems("[store]\n"), ["1:1 the config has no store"]);
}

#[test]
fn names_that_clash_are_told_with_both_places() {
    let header = "[store.m]\nbackend = \"memory\"\n";
    let twice = format!("{header}[store.m]\nbackend = \"memory\"\n");
    assert_eq!(problems(&twice), ["3:8 this is here twice", "4:1 this is here twice"]);
    let rules = format!(
        "{header}[[namespace]]\nmatch = \"app/**\"\n[[namespace]]\nmatch = \"app/x\"\n[[namespace]]\nmatch = \"app/**\"\n"
    );
    assert_eq!(
        problems(&rules),
        ["6:9 never used: every name of it is of `app/**` too", "8:9 `app/**` is matched twice"]
    );
    assert_eq!(
        problems(&format!("{header}[[frontend]]\nkind = \"vfs\"\n[[frontend]]\nkind = \"vfs\"\n")),
        ["5:1 a config has one frontend of kind `vfs`"]
    );
    assert_eq!(
        problems("[store.\"a b\"]\nbackend = \"memory\"\n"),
        ["1:8 \"a b\" cannot be the name of a store"]
    );
    assert_eq!(
        problems(&format!("{header}[[namespace]]\nmatch = \"/tmp/*\"\n")),
        ["4:9 no name can be of this pattern: a namespace's name cannot begin with '/'"]
    );
}

#[test]
fn a_truncated_file_is_told_without_echoes() {
    let whole =
        "[store.main]\nbackend = \"memory\"\n[[namespace]]\nmatch = \"app/*\"\nstore = \"main\"\n";
    let base = TempDir::new().unwrap();
    check_in(base.path(), whole).unwrap();
    assert_eq!(problems("[store.main]\nbackend = \"mem").len(), 1);
    assert_eq!(problems("[store.main]\nbackend =").len(), 1);
    assert_eq!(problems("[store.main").len(), 1);
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        // Some truncations are configs; none is a panic, and what is wrong has a place.
        if let Err(found) = check_in(base.path(), &whole[..end]) {
            assert!(found.iter().all(|p| p.line().is_some()), "{end}: {found}");
        }
    }
}

#[test]
fn files_that_are_no_text_are_told() {
    let base = TempDir::new().unwrap();
    let file = base.path().join("hozo.toml");
    let registry = Registry::builtin();
    let absent = Plan::from_file(&file, &registry).unwrap_err().to_string();
    assert!(absent.contains("cannot be read") && absent.contains("hozo init"), "{absent}");
    fs::write(&file, b"[store.main]\nbackend = \"\xff\"\n").unwrap();
    let bytes = Plan::from_file(&file, &registry).unwrap_err().to_string();
    assert!(bytes.contains("not UTF-8") && bytes.contains("hozo.toml:2:12"), "{bytes}");
    fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    let large = Plan::from_file(&file, &registry).unwrap_err().to_string();
    assert!(large.contains("1048576 bytes"), "{large}");
    assert!(Plan::from_file(base.path(), &registry).is_err());
}

/// Whether a config names a backend that this build was made without.
fn left_out(text: &str) -> bool {
    let built = [
        ("fdb", cfg!(feature = "fdb")),
        ("rocksdb", cfg!(feature = "rocksdb")),
        ("sled", cfg!(feature = "sled")),
    ];
    built.iter().any(|(name, built)| !built && text.contains(&format!("backend = {name:?}")))
}

/// Every backend that is a feature, in a build with or without it.
#[test]
fn a_backend_that_was_left_out_says_how_to_get_it() {
    let base = TempDir::new().unwrap();
    for name in ["fdb", "rocksdb", "sled"] {
        // FoundationDB has no directory.
        let path = if name == "fdb" { "" } else { "path = \"x\"\n" };
        let text = format!("[store.m]\nbackend = {name:?}\n{path}");
        if !left_out(&text) {
            check_in(base.path(), &text).unwrap();
            continue;
        }
        let found = check_in(base.path(), &text).unwrap_err();
        let problem = found.iter().next().unwrap();
        assert_eq!((problem.line(), problem.column()), (Some(2), Some(11)), "{found}");
        assert_eq!(problem.message(), format!("this build has no backend `{name}`"));
        let how = format!("hozo-cli --features {name}");
        assert!(problem.notes().iter().any(|note| note.ends_with(&how)), "{found}");
        assert!(found.in_one_line().contains("make install"), "{}", found.in_one_line());
        // A slip in the name of one that is not here is still recognised.
        let slip = text.replace(name, &format!("{name}b"));
        let found = check_in(base.path(), &slip).unwrap_err();
        let meant = format!("did you mean `{name}`?");
        assert_eq!(found.iter().next().unwrap().hint(), Some(&*meant), "{found}");
    }
}

#[test]
fn every_config_of_the_repository_is_right() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let registry = if cfg!(feature = "rpc") { Registry::serving() } else { Registry::builtin() };
    let mut seen = 0;
    for entry in fs::read_dir(configs).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        // In a directory of its own, since its paths are relative to it.
        let base = TempDir::new().unwrap();
        let copy = base.path().join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        let text = fs::read_to_string(&copy).unwrap();
        match Plan::from_file(&copy, &registry) {
            Ok(_) => {}
            Err(found) if left_out(&text) => {
                // Past the harness, which would keep it for failed tests.
                let _ = writeln!(std::io::stderr(), "SKIPPED: {}", found.in_one_line());
                continue;
            }
            Err(found) => panic!("{found}"),
        }
        seen += 1;
    }
    assert!(seen >= 1, "the repository has configs");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = check_in(Path::new("/nonexistent"), &text);
    }

    #[test]
    fn nothing_like_a_config_makes_it_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[store.main]", "[store]", "[[store]]", "[[namespace]]", "[namespace]", "[cache]",
            "[[frontend]]", "[[dbm]]", "name = ", "kind = ", "\"rpc\"", "durability = ", "listen = ",
            "[replication.main]", "[replication]", "server_id = ", "dir = ", "follow = ", "role = ",
            "keep = ", "\"7d\"", "\"ulog\"", "\"unix:x\"", "\"127.0.0.1:0\"", "tls = ", "cert = ", "tokens = ", "backend = ", "\"memory\"", "\"rocksdb\"", "path = ", "\"x\"", "match = ",
            "\"**\"", "page_size = ", "4096", "-1", "store = ", "{", "}", "[", "]", "\n", "\n", "\n",
            "=", "\"", "'", "store.main.backend = ", "1979-05-27", "0x", "ほぞ", "\u{feff}", ".", ",",
        ]), 0..40)
    ) {
        for registry in [Registry::builtin(), Registry::serving()] {
            let plan = Plan::from_text("hozo.toml", &parts.concat(), "/nonexistent", &registry);
            if let Err(found) = plan {
                // It can always be shown, too.
                prop_assert!(!found.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let base = TempDir::new().unwrap();
        let file = base.path().join("hozo.toml");
        fs::write(&file, bytes).unwrap();
        let _ = Plan::from_file(&file, &Registry::builtin());
    }
}

#[test]
fn one_line_says_the_first_problem_and_how_many_follow() {
    let line = |more: &str| {
        let text = format!("[store.main]\nbackend = \"memory\"\n[cache]\nsize = 1\n{more}");
        check_in(Path::new("/"), &text).unwrap_err().in_one_line()
    };
    let first = "hozo.toml:4:1: unknown key `size` in [cache]; keys of [cache]: `bytes`";
    assert_eq!(line(""), first);
    let others = line("[x]\n");
    assert_eq!(others, format!("{first}; and one more problem, see `hozo check`"));
    let others = line("[x]\n[y]\n");
    assert_eq!(others, format!("{first}; and 2 more problems, see `hozo check`"));
    // A problem of the whole file has no place in it, but may say what to do.
    let absent = Plan::from_file("/none/c", &Registry::builtin()).unwrap_err().in_one_line();
    assert!(absent.starts_with("/none/c: the config cannot be read: "), "{absent}");
    assert!(absent.ends_with("; `hozo init` writes one to begin with"), "{absent}");
}
