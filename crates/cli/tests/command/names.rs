//! Namespaces: create, list, stat, rename, delete.

use super::run::{Home, store};

fn names(home: &Home) -> Vec<String> {
    let list = home.json(&["ns", "list"]);
    list.as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_namespace_lives_from_create_to_delete() {
    let home = Home::new();
    assert_eq!(names(&home), Vec::<String>::new());
    let made = home.json(&["ns", "create", "app", "--page-size", "1024"]);
    assert_eq!((&made["name"], &made["page_size"]), (&"app".into(), &1024.into()));
    assert_eq!(made["version"], serde_json::Value::Null);
    home.run(["ns", "create", "app"]).fails(4, &["exists", "app"]);
    home.run(["ns", "create", "app", "--if-not-exists"]).ok();
    home.run(["ns", "rename", "app", "apple"]).ok();
    home.run(["ns", "stat", "app"]).fails(3, &["not found", "hozo ns list"]);
    home.run(["ns", "delete", "apple"]).fails(2, &["--yes"]);
    assert_eq!(names(&home), ["apple"]);
    home.run(["ns", "delete", "apple", "--yes"]).ok();
    home.run(["ns", "delete", "apple", "--yes"]).fails(3, &["not found"]);
    assert_eq!(names(&home), Vec::<String>::new());
}

#[test]
fn list_and_stat_show_what_is_there() {
    let home = Home::new();
    home.run(["ns", "create", "b"]).ok();
    home.run(["ns", "create", "a/x", "--concurrency", "optimistic"]).ok();
    home.sql("b", "CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    assert_eq!(names(&home), ["a/x", "b"]);
    let list = home.run(["ns", "list"]).ok();
    assert!(list.starts_with("NAME"), "{list}");
    assert!(home.run(["ns", "list", "a/"]).ok().lines().count() == 2);
    home.run(["ns", "list", "--store", "other"]).fails(3, &["stores: main"]);
    let stat = home.json(&["ns", "stat", "b"]);
    assert_eq!((&stat["page_count"], &stat["bytes"]), (&2.into(), &8192.into()));
    assert_eq!((&stat["store"], &stat["concurrency"]), (&"main".into(), &"serial".into()));
    assert_eq!(stat["commits_is_exact"], true);
    assert_eq!(stat["version"].as_str().unwrap().len(), 20);
    let text = home.run(["ns", "stat", "b"]).ok();
    assert!(text.contains("8.0 KiB (2 pages of 4096 bytes)"), "{text}");
}

#[test]
fn a_rename_stays_in_its_store() {
    let home = Home::new();
    let backend = store();
    let two = format!(
        "[store.main]\nbackend = {backend:?}\npath = \"data/main\"\n\
         [store.other]\nbackend = {backend:?}\npath = \"data/other\"\n\
         [[namespace]]\nmatch = \"other/*\"\nstore = \"other\"\n"
    );
    home.write("hozo.toml", two);
    home.run(["ns", "create", "app"]).ok();
    home.run(["ns", "create", "other/app"]).ok();
    home.run(["ns", "rename", "app", "other/b"]).fails(2, &["store main", "store other"]);
    let list = home.json(&["ns", "list"]);
    assert_eq!((&list[0]["store"], &list[1]["store"]), (&"main".into(), &"other".into()));
    assert_eq!(home.json(&["ns", "list", "--store", "other"]).as_array().unwrap().len(), 1);
}

#[test]
fn errors_are_json_where_output_is() {
    let home = Home::new();
    let ran = home.run(["ns", "stat", "none", "--json"]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["error"]["exit_code"], 3);
    assert_eq!(error["error"]["kind"], "not found");
    assert!(error["error"]["message"].as_str().unwrap().contains("none"));
    for args in [&["ns", "create", "a b", "--json"][..], &["--json", "creat"], &["--json"]] {
        let ran = home.run(args);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran:?}");
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(error["error"]["kind"], "usage", "{error}");
    }
    home.run(["--json", "ns", "create", "a b"]).fails(2, &["letters, digits"]);
    home.run(["--help", "--json"]).ok();
}
