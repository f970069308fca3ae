//! SQLite with time travel in a Rust program, through `rusqlite`.
//!
//! ```text
//! cargo run --release -p hozo-embedded --example embed [hozo.toml]
//! ```
//!
//! Without a config everything is in memory.

use std::error::Error;
use std::sync::Arc;

use hozo::traits::exec::block_on;
use hozo::traits::{Span, Version};
use hozo::{Plan, Problems, Registry, Stack};
use hozo_embedded::{Connect, rusqlite};

const IN_MEMORY: &str = r#"
[store.main]
backend = "memory"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let plan = match std::env::args().nth(1) {
        Some(file) => Plan::from_file(file, &Registry::builtin())?,
        None => in_memory()?,
    };
    travel(&Stack::open(plan))
}

fn in_memory() -> Result<Plan, Problems> {
    Plan::from_text("the example's config", IN_MEMORY, ".", &Registry::builtin())
}

fn travel(stack: &Arc<Stack>) -> Result<(), Box<dyn Error>> {
    // A namespace is one SQLite database with its history.
    let name = "embed-example".parse()?;
    stack.create(&name)?;
    let mut db = stack.connect("embed-example")?;
    db.execute_batch("CREATE TABLE joint(name TEXT PRIMARY KEY, cut INTEGER)")?;
    db.execute("INSERT INTO joint VALUES ('dovetail', 1996), ('tenon', 2003)", [])?;

    // Where it is now: a version that can be opened at any time later.
    let namespaces = stack.store_of(&name)?;
    let before = block_on(namespaces.stat(&name))?.head.version;

    let transaction = db.transaction()?;
    transaction.execute("UPDATE joint SET cut = 2026", [])?;
    transaction.commit()?;

    let newest = |db: &rusqlite::Connection| -> rusqlite::Result<i64> {
        db.query_row("SELECT max(cut) FROM joint", [], |row| row.get(0))
    };
    let past = stack.connect(&format!("embed-example@{before}"))?;
    println!("now {}, at version {before} it was {}", newest(&db)?, newest(&past)?);
    assert_eq!((newest(&db)?, newest(&past)?), (2026, 2003));

    // The past is read-only.
    let refused = past.execute("DELETE FROM joint", []).unwrap_err();
    println!("a write to the past: {refused}");

    let since = Span::Versions(before, Version::MAX);
    for entry in block_on(namespaces.log(&name, since, true, 10))? {
        println!("{}  {} pages", entry.version, entry.pages_written);
    }
    drop((db, past));
    block_on(namespaces.delete(&name))?;
    Ok(())
}

#[test]
fn the_example_runs() {
    travel(&Stack::open(in_memory().unwrap())).unwrap();
}
