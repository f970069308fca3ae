//! With Tkrzw's own server and utility, as they are.

use hozo_tests::{Run, Running, Scratch, built, free_port};

use super::server::{Server, until};
use super::writers::{records_at, records_of};

/// A tkrzw_server with an update log.
struct Tkrzw {
    scratch: Scratch,
    address: String,
    more: Vec<String>,
    running: Option<Running>,
}

/// Its id.
const ID: &str = "9";

impl Tkrzw {
    fn new(more: &[&str]) -> Tkrzw {
        let address = format!("127.0.0.1:{}", free_port());
        let more = more.iter().map(|&arg| arg.to_owned()).collect();
        Tkrzw { scratch: Scratch::empty(), address, more, running: None }
    }

    fn start(&mut self) {
        let run = self.scratch.run("tkrzw_server").args(["--address", &self.address]);
        let run = run.args(["--server_id", ID, "--ulog_prefix", "ulog", "--shutdown_wait", "1"]);
        self.running = Some(run.args(&self.more).arg("casket.tkh").start());
        until("it answers", || self.dbm(&["count"]).run().code == Some(0));
    }

    fn stop(&mut self) {
        let running = self.running.take().expect("it runs");
        Run::new("kill").arg(running.id().to_string()).ok();
        running.finish().ok();
    }

    fn dbm(&self, args: &[&str]) -> Run {
        self.scratch.run(&built().hozo).args(["dbm", "--address", &self.address]).args(args)
    }
}

/// Some of everything that changes records. `of` makes values different.
fn change(dbm: impl Fn(&[&str]) -> Run, of: &str) {
    dbm(&["set", "gone", of]).ok();
    dbm(&["clear"]).ok();
    dbm(&["set", "Japan", of]).ok();
    dbm(&["append", "Japan", of, "--delimiter", ","]).ok();
    dbm(&["incr", "n", "5"]).ok();
    dbm(&["incr", "n", "-2"]).ok();
    dbm(&["set", "--multi", "a", of, "b", of]).ok();
    dbm(&["remove", "a"]).ok();
}

/// How many updates that is in Tkrzw's log, and in Hozo's, where those that belong
/// together are one.
const CHANGES: u64 = 9;
const CHANGES_HERE: u64 = 8;

fn same(one: &str, other: &str) {
    until("both have the same records", || records_at(one) == records_at(other));
}

pub(super) fn followed() {
    let mut tkrzw = Tkrzw::new(&[]);
    tkrzw.start();
    change(|args| tkrzw.dbm(args), "before");
    let mut hozo = Server::new(1, "");
    let follow = format!("follow = {:?}", tkrzw.address);
    hozo.start(&follow);
    same(&tkrzw.address, &hozo.address());
    change(|args| tkrzw.dbm(args), "after");
    same(&tkrzw.address, &hozo.address());
    hozo.dbm(&["set", "Japan", "mine"]).run().fails(&["PERMISSION_ERROR", &tkrzw.address]);
    let followed = hozo.status();
    assert_eq!(followed["source"]["server"].to_string(), ID);
    assert_eq!(followed["head"][0]["updates"], 2 * CHANGES, "{followed:#}");

    // Either starts again; nothing comes twice but what may be of the same moment.
    hozo.stop();
    tkrzw.dbm(&["set", "meanwhile", "1"]).ok();
    tkrzw.stop();
    tkrzw.start();
    hozo.start(&follow);
    same(&tkrzw.address, &hozo.address());
    tkrzw.stop();
    tkrzw.start();
    change(|args| tkrzw.dbm(args), "again");
    same(&tkrzw.address, &hozo.address());
    let head = hozo.status()["head"][0]["updates"].as_u64().expect("a number");
    assert!((3 * CHANGES + 1..5 * CHANGES).contains(&head), "{head}");

    // The master is gone.
    let records = records_at(&tkrzw.address);
    tkrzw.stop();
    hozo.repl(&["promote"]).ok();
    assert!(records_of(&hozo) == records);
    hozo.dbm(&["set", "Japan", "mine"]).ok();
    // And followed again, from a moment on: its utilities call that a skew.
    tkrzw.start();
    tkrzw.dbm(&["set", "Korea", "Seoul"]).ok();
    hozo.repl(&["follow", &tkrzw.address, "--ts-skew", "-1000"]).ok();
    until("it has what came last", || {
        records_of(&hozo).get(&b"Korea"[..]).is_some_and(|value| value == "Seoul")
    });
}

pub(super) fn follows() {
    let mut hozo = Server::with_port(1);
    hozo.start("");
    change(|args| hozo.dbm(args), "before");
    let master = hozo.at_port();
    let mut tkrzw = Tkrzw::new(&["--repl_master", &master, "--repl_ts_file", "ts"]);
    tkrzw.start();
    same(&tkrzw.address, &hozo.address());
    change(|args| hozo.dbm(args), "after");
    same(&tkrzw.address, &hozo.address());
    // It counts for nobody who asks for acknowledgements.
    let followers = hozo.status()["followers"].clone();
    assert_eq!(followers[0]["connected"], true, "{followers:#}");
    assert!(followers[0]["has"].is_null(), "{followers:#}");
    tkrzw.stop();
    hozo.stop();
    hozo.start("");
    hozo.dbm(&["set", "meanwhile", "1"]).ok();
    tkrzw.start();
    same(&tkrzw.address, &hozo.address());
    change(|args| hozo.dbm(args), "again");
    same(&tkrzw.address, &hozo.address());
}

pub(super) fn two_masters() {
    let mut hozo = Server::with_port(1);
    let master = hozo.at_port();
    let mut tkrzw = Tkrzw::new(&["--repl_master", &master, "--repl_ts_file", "ts"]);
    hozo.start(&format!("follow = {:?}\nrole = \"master\"", tkrzw.address));
    tkrzw.start();
    change(|args| hozo.dbm(args), "Hozo");
    same(&tkrzw.address, &hozo.address());
    change(|args| tkrzw.dbm(args), "Tkrzw");
    same(&tkrzw.address, &hozo.address());
    // Marks come through behind all that there was.
    hozo.dbm(&["set", "from Hozo", "1"]).ok();
    tkrzw.dbm(&["set", "from Tkrzw", "1"]).ok();
    same(&tkrzw.address, &hozo.address());
    assert_eq!(records_of(&hozo).len(), 5);
    // Nothing came back: each has each update once.
    let here = hozo.status();
    assert_eq!(here["head"][0]["updates"], CHANGES_HERE + CHANGES + 2, "{here:#}");
    let mut third = Server::new(3, "");
    third.start(&format!("follow = {:?}", tkrzw.address));
    same(&tkrzw.address, &third.address());
    let there = third.status();
    assert_eq!(there["head"][0]["updates"], 2 * CHANGES + 2, "{there:#}");
}

pub(super) fn utility() {
    let mut hozo = Server::with_port(1);
    hozo.start("");
    change(|args| hozo.dbm(args), "x");
    let address = hozo.at_port();
    let scratch = Scratch::empty();
    let utility = |args: &[&str]| {
        scratch.run("tkrzw_dbm_remote_util").args(args).args(["--address", &address]).run()
    };
    // It gets what was answered, and ends with 1 however it went.
    let ran = utility(&["replicate", "--items", "0", "--wait", "0", "--escape"]);
    let fields = ran.stdout.lines().map(|line| line.split_once('\t').expect("a time").1);
    let expected = [
        "1\t0\tSET\tgone\tx",
        "1\t0\tCLEAR",
        "1\t0\tSET\tJapan\tx",
        "1\t0\tSET\tJapan\tx,x",
        "1\t0\tSET\tn\t\\0\\0\\0\\0\\0\\0\\0\\x05",
        "1\t0\tSET\tn\t\\0\\0\\0\\0\\0\\0\\0\\x03",
        "1\t0\tSET\ta\tx",
        "1\t0\tSET\tb\tx",
        "1\t0\tREMOVE\ta",
    ];
    assert_eq!(fields.collect::<Vec<_>>(), expected, "{ran}");
    // Into a DBM of its own.
    let copy = ["replicate", "--items", "0", "--wait", "0", "--ts_file", "ts", "copy.tkh"];
    let ran = utility(&copy);
    assert!(ran.stdout.contains("set=7, remove=1, clear=1"), "{ran}");
    // It goes on where it was, with what is of the same moment once more.
    hozo.dbm(&["set", "later", "y"]).ok();
    let ran = utility(&copy);
    assert!(ran.stdout.contains("set=1, remove=1, clear=0"), "{ran}");
    // Whom it follows can be changed by it, too.
    let there = format!("127.0.0.1:{}", free_port());
    assert_eq!(utility(&["changemaster", &there]).code, Some(0));
    hozo.until("following", |status| status["source"]["address"] == there.as_str());
    hozo.dbm(&["set", "later", "y"]).run().fails(&["PERMISSION_ERROR", &there]);
}
