//! A stack that is served, with a frontend that only notes what is done to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hozo::traits::exec::block_on;
use hozo::traits::{
    Ambient, Claim, Durability, Endpoint, Error, ErrorKind, Frontend, Health, KvStoreExt, Needs,
    PagesOnly, Parts, Result, Running, Store,
};
use hozo::{BuiltFrontend, Plan, Problems, Registry, Stack};
use serde::Deserialize;
use tempfile::TempDir;

/// What was done to the frontends of one test, which has its own by its name.
static DONE: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn note(name: &str, what: impl Into<String>) {
    DONE.lock().unwrap().push((name.to_owned(), what.into()));
}

/// What was noted by frontends whose names begin so.
fn done(prefix: &str) -> Vec<String> {
    let done = DONE.lock().unwrap();
    done.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, what)| what.clone()).collect()
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    listen: String,
    #[serde(default)]
    fails: bool,
    #[serde(default)]
    without_dbms: bool,
    #[serde(default)]
    ails: Option<String>,
    #[serde(default = "minute")]
    stop_s: u64,
}

const fn minute() -> u64 {
    60
}

struct Fake {
    config: Config,
    base: PathBuf,
}

struct FakeRunning(Config);

impl Frontend for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn needs(&self) -> Needs {
        Needs { dbms: !self.config.without_dbms }
    }

    fn claims(&self) -> Vec<Claim> {
        match self.config.listen.strip_prefix("unix:") {
            Some(path) => vec![Claim::Socket(self.base.join(path))],
            None => vec![Claim::Tcp(self.config.listen.parse().unwrap())],
        }
    }

    fn start(&self, parts: Parts) -> Result<Box<dyn Running>> {
        let name = &self.config.name;
        if self.config.fails {
            return Err(Error::new(ErrorKind::Unavailable, "it cannot listen"));
        }
        for dbm in &parts.dbms {
            let set = dbm.records.set("k".into(), "v".into(), true, dbm.durability);
            block_on(set)?;
            note(name, format!("has {} in {} {:?}", dbm.name, dbm.store, dbm.durability));
        }
        note(name, "started");
        Ok(Box::new(FakeRunning(self.config.clone())))
    }
}

impl FakeRunning {
    fn ails(&self, how: &str) -> bool {
        self.0.ails.as_deref().is_some_and(|ails| ails.split(' ').any(|one| one == how))
    }
}

impl Running for FakeRunning {
    fn endpoints(&self) -> Vec<Endpoint> {
        let at = Claim::Tcp("127.0.0.1:7".parse().unwrap());
        vec![Endpoint { at, protection: format!("{} guards it", self.0.name) }]
    }

    fn health(&self) -> Health {
        match self.0.ails.as_deref() {
            Some("degraded") => Health::Degraded("slow".to_owned()),
            Some("failed") => Health::Failed("broken".to_owned()),
            _ => Health::Serving,
        }
    }

    fn reload(&self) -> Result<()> {
        note(&self.0.name, "reloaded");
        match self.ails("reload") {
            true => Err(Error::new(ErrorKind::Invalid, "no certificate")),
            false => Ok(()),
        }
    }

    fn stop(&self, within: Duration) -> Result<()> {
        note(&self.0.name, format!("stopped in {within:?}"));
        match self.ails("stop") {
            true => Err(Error::new(ErrorKind::TimedOut, "a client went on")),
            false => Ok(()),
        }
    }
}

impl Drop for FakeRunning {
    fn drop(&mut self) {
        note(&self.0.name, "dropped");
    }
}

fn check(config: &Config) -> Result<()> {
    if config.listen.starts_with("unix:") || config.listen.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "not an address").with("setting", "listen"))
}

fn build(config: &Config, base: &Path) -> Result<BuiltFrontend> {
    if config.name == "unbuilt" {
        return Err(Error::new(ErrorKind::NotFound, "no tokens").with("setting", "name.file"));
    }
    let fake = Fake { config: config.clone(), base: base.to_owned() };
    Ok(BuiltFrontend { stop_within: Duration::from_secs(config.stop_s), ..fake.into() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A store without records.
fn pages(_: &Nothing, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    let memory =
        Plan::from_text("memory", "[store.m]\nbackend = \"memory\"", "/", &Registry::builtin())?;
    Ok(Arc::new(PagesOnly(memory.stores()[0].open(ambient)?.pages()?)))
}

/// A store that somebody else has.
fn held(_: &Nothing, _: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    Err(Error::new(ErrorKind::Busy, "process 1 has the store"))
}

fn registry() -> Registry {
    let mut registry = Registry::serving();
    registry.register_frontend("fake", check, build).unwrap();
    registry.register("pages", |_| Ok(()), pages).unwrap();
    registry.register("held", |_| Ok(()), held).unwrap();
    registry
}

fn plan(text: &str) -> Result<Plan, Problems> {
    let base = TempDir::new().unwrap();
    let text = format!("[store.main]\nbackend = \"memory\"\n{text}");
    Plan::from_text("hozo.toml", &text, base.path(), &registry())
}

fn stack(text: &str) -> Arc<Stack> {
    Stack::open(plan(text).unwrap_or_else(|problems| panic!("{problems}")))
}

/// The problems of a config, one `line:column message` each; its first line is
/// the third of the text, below a store `main`.
fn problems(text: &str) -> Vec<String> {
    let found = plan(text).expect_err("something is wrong");
    let shown = |p: &hozo::Problem| {
        let notes = p.notes().join("; ");
        format!("{}:{} {} | {notes}", p.line().unwrap(), p.column().unwrap(), p.message())
    };
    found.iter().map(shown).collect()
}

/// A `[[frontend]]` of six lines.
fn frontend(name: &str, listen: &str, more: &str) -> String {
    format!("[[frontend]]\nkind = \"fake\"\nname = {name:?}\nlisten = {listen:?}\n{more}\n\n")
}

const DBM: &str = "[[dbm]]\nname = \"casket\"\n\n";

#[test]
fn everything_starts_with_the_dbms_in_their_order_and_stops() {
    let stack = stack(&format!(
        "[store.second]\nbackend = \"memory\"\n[[dbm]]\nname = \"b\"\nstore = \"second\"\n\
         durability = \"durable\"\n[[dbm]]\nname = \"a\"\n{}{}",
        frontend("all-1", "127.0.0.1:0", ""),
        frontend("all-2", "127.0.0.1:0", "without_dbms = true\nstop_s = 2"),
    ));
    let serving = Stack::serve(&stack).unwrap();
    let first = ["has b in second Durable", "has a in main Sequenced", "started"];
    assert_eq!(done("all-1"), first);
    assert_eq!(done("all-2"), first);
    let endpoints = serving.endpoints();
    let shown: Vec<_> =
        endpoints.iter().map(|(kind, e)| format!("{kind} {} {}", e.at, e.protection)).collect();
    assert_eq!(shown, ["fake 127.0.0.1:7 all-1 guards it", "fake 127.0.0.1:7 all-2 guards it"]);
    assert_eq!(serving.health(), Health::Serving);
    serving.reload().unwrap();
    serving.stop(Duration::from_secs(3)).unwrap();
    drop(serving);
    let all = |stopped| [&first[..], &["reloaded", stopped, "dropped"]].concat();
    assert_eq!(done("all-1"), all("stopped in 3s"));
    assert_eq!(done("all-2"), all("stopped in 2s"), "its own settings say so");
    // They used the stack's own stores.
    let read = block_on(stack.records("second", "b").unwrap().get(&"k".into())).unwrap();
    assert_eq!(read.as_deref(), Some(&b"v"[..]));
}

#[test]
fn one_that_does_not_start_takes_the_others_with_it() {
    let (good, bad) = ("127.0.0.1:0", "127.0.0.1:0");
    let stack = stack(&format!(
        "{DBM}{}{}{}",
        frontend("some-1", good, ""),
        frontend("some-2", bad, "fails = true"),
        frontend("some-3", good, ""),
    ));
    let failed = stack.serve().unwrap_err();
    assert_eq!(failed.to_string(), "unavailable: it cannot listen (frontend fake)");
    let has = "has casket in main Sequenced";
    assert_eq!(done("some-"), [has, "started", "dropped"]);
}

#[test]
fn a_dbm_whose_store_does_not_open_is_named() {
    let with = |backend: &str| {
        stack(&format!(
            "[store.other]\nbackend = {backend:?}\n[[dbm]]\nname = \"casket\"\nstore = \"other\"\n{}",
            frontend("never", "127.0.0.1:0", "")
        ))
        .serve()
        .unwrap_err()
    };
    let lacks = with("pages");
    assert_eq!(lacks.kind(), ErrorKind::Unsupported);
    let said = lacks.to_string();
    assert!(said.contains("lacks the capability records"), "{said}");
    assert!(said.ends_with("store other, dbm casket)"), "{said}");
    let busy = with("held");
    assert_eq!(busy.kind(), ErrorKind::Busy);
    assert_eq!(busy.to_string(), "busy: process 1 has the store (store other, dbm casket)");
    assert!(done("never").is_empty());
}

#[test]
fn nothing_to_serve_is_an_error() {
    let nothing = stack("[[frontend]]\nkind = \"vfs\"\n").serve().unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Invalid);
    // Without a DBM there may be something to serve.
    let stack = stack(&frontend("lone", "127.0.0.1:0", "without_dbms = true"));
    stack.serve().unwrap();
    assert_eq!(done("lone"), ["started", "dropped"]);
}

#[test]
fn the_worst_health_is_the_stacks_and_every_error_is_told() {
    let of = |ails: [&str; 3]| {
        let one = |i: usize| {
            let listen = "127.0.0.1:0";
            frontend(&format!("ill-{i}"), listen, &format!("ails = {:?}", ails[i]))
        };
        stack(&format!("{DBM}{}{}{}", one(0), one(1), one(2))).serve().unwrap()
    };
    assert_eq!(of(["", "", ""]).health(), Health::Serving);
    let degraded = Health::Degraded("fake: slow".to_owned());
    assert_eq!(of(["", "degraded", ""]).health(), degraded);
    let failed = Health::Failed("fake: broken; fake: slow".to_owned());
    assert_eq!(of(["failed", "", "degraded"]).health(), failed);
    let serving = of(["reload stop", "", "reload stop"]);
    let told = "no certificate (frontend fake, and fake: invalid: no certificate)";
    assert_eq!(serving.reload().unwrap_err().message(), "no certificate");
    assert_eq!(serving.reload().unwrap_err().to_string(), format!("invalid: {told}"));
    let late = serving.stop(Duration::ZERO).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let stopped = done("ill-").iter().filter(|what| *what == "stopped in 0ns").count();
    assert_eq!(stopped, 3, "the others are stopped all the same");
}

#[test]
fn what_is_wrong_with_a_frontend_is_told_at_its_place() {
    assert_eq!(
        problems(&format!("{DBM}{}", frontend("x", "here", "insecur = true"))),
        [
            "9:10 invalid: not an address (setting listen) | ",
            "10:1 unknown key `insecur` in [[frontend]] | keys of [[frontend]]: `kind`, `name`, \
             `listen`, `fails`, `without_dbms`, `ails`, `stop_s`",
        ]
    );
    assert_eq!(
        problems(&format!("{DBM}{}", frontend("unbuilt", "127.0.0.1:0", ""))),
        ["8:8 not found: no tokens (setting name.file) | "]
    );
    assert_eq!(
        problems("[[frontend]]\nkind = \"faek\"\n[[frontend]]\nknid = \"fake\"\n[[frontend]]\n"),
        [
            "4:8 unknown frontend `faek` | kinds: `vfs`, `rpc`, `fake`",
            "5:1 [[frontend]] has no `name` | ",
            "6:1 unknown key `knid` in [[frontend]] | ",
            "7:1 [[frontend]] has no `kind` | kinds: `vfs`, `rpc`, `fake`",
        ]
    );
}

#[test]
fn a_frontend_without_a_dbm_is_told_how_to_write_one() {
    assert_eq!(
        problems(&frontend("x", "127.0.0.1:0", "")),
        ["3:1 frontend `fake` has no DBM to serve | such as:  [[dbm]]  name = \"casket\""]
    );
    // One that is there and wrong is told by itself.
    let wrong = format!("{}[[dbm]]\nname = \"\"\n", frontend("x", "127.0.0.1:0", ""));
    let found = problems(&wrong);
    assert!(found.len() == 1 && found[0].starts_with("10:8 \"\" cannot be"), "{found:?}");
    plan(&frontend("x", "127.0.0.1:0", "without_dbms = true")).unwrap();
}

#[test]
fn what_two_frontends_take_is_told_at_the_second() {
    let both =
        |a: &str, b: &str| plan(&format!("{DBM}{}{}", frontend("x", a, ""), frontend("y", b, "")));
    let clash = |a: &str, b: &str| both(a, b).unwrap_err();
    let found = clash("127.0.0.1:1978", "0.0.0.0:1978");
    let problem = found.iter().next().unwrap();
    assert_eq!((problem.line(), problem.column()), (Some(15), Some(10)), "{found}");
    assert_eq!(problem.message(), "0.0.0.0:1978 is taken already");
    assert_eq!(problem.notes(), ["by frontend `fake` on line 9, as 127.0.0.1:1978"]);
    assert_eq!(found.iter().count(), 1);
    let found = clash("unix:dbm.sock", "unix:dbm.sock");
    assert!(found.iter().next().unwrap().message().ends_with("/dbm.sock is taken already"));
    both("127.0.0.1:0", "127.0.0.1:0").unwrap();
    both("127.0.0.1:1978", "127.0.0.1:1979").unwrap();
    both("127.0.0.1:1978", "unix:dbm.sock").unwrap();
}

#[test]
fn a_kind_is_registered_once() {
    let mut registry = registry();
    let twice = registry.register_frontend("fake", check, build).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Exists);
    let vfs = registry.register_frontend("vfs", check, build).unwrap_err();
    assert_eq!(vfs.kind(), ErrorKind::Exists);
    // One that a program registers is served also where others serve the rest.
    let mut registry = Registry::builtin();
    registry.register_frontend("fake", check, build).unwrap();
    let text = format!(
        "[store.main]\nbackend = \"memory\"\n{DBM}[[frontend]]\nkind = \"rpc\"\n{}",
        frontend("beside", "127.0.0.1:0", "")
    );
    let plan = Plan::from_text("test", &text, "/", &registry).unwrap();
    let served: Vec<_> = plan.frontends().iter().map(|one| (one.kind(), one.is_served())).collect();
    assert_eq!(served, [("rpc", false), ("fake", true)]);
    assert_eq!(plan.dbms()[0].durability(), Durability::Sequenced);
    Stack::open(plan).serve().unwrap();
    assert!(done("beside").contains(&"started".to_owned()));
}

#[test]
fn nothing_secret_is_shown_of_a_plan() {
    let text = format!("{DBM}{}", frontend("hush", "127.0.0.1:0", ""));
    let shown = format!("{:?}", plan(&text).unwrap());
    assert!(shown.contains("fake") && shown.contains("casket"), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}
