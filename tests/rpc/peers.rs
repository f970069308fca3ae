//! Tkrzw's own clients against our server, where they are installed.

use hozo_tests::{Run, have};
use libtest_mimic::Trial;

use crate::kit::Kit;

const UTILITY: &str = "tkrzw_dbm_remote_util";
const PERF: &str = "tkrzw_dbm_remote_perf";

/// A client, what it needs, and what is done with it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Kit),
    missing: fn() -> Option<String>,
}

pub(crate) const PEERS: [Peer; 3] = [
    Peer { name: UTILITY, run: utility, missing: || missing(UTILITY) },
    Peer { name: PERF, run: perf, missing: || missing(PERF) },
    Peer { name: "python_tkrzw_rpc", run: python, missing: missing_python },
];

impl Peer {
    /// The trial, or the reason why this machine cannot run it in its line.
    pub(crate) fn or_skipped(&self, trial: Trial) -> Trial {
        match (self.missing)() {
            Some(reason) => trial.with_kind(format!("skipped: {reason}")).with_ignored_flag(true),
            None => trial,
        }
    }
}

fn missing(program: &str) -> Option<String> {
    (!have(program)).then(|| format!("{program} is not installed"))
}

fn missing_python() -> Option<String> {
    if !have("python3") {
        return missing("python3");
    }
    let ran = Run::new("python3").args(["-c", "import tkrzw_rpc"]).run();
    (ran.code != Some(0)).then(|| "Python has no tkrzw_rpc".to_owned())
}

/// A command of a Tkrzw client for the kit's DBM.
fn ask(kit: &Kit, program: &str, args: &[&str]) -> Run {
    let (command, rest) = args.split_first().expect("a command");
    let index = kit.index.to_string();
    Run::new(program).args([command, "--address", kit.address(), "--index", &index]).args(rest)
}

/// What `make check` of Tkrzw-RPC does with it, with the answers.
fn utility(kit: &Kit) {
    let ok = |args: &[&str]| ask(kit, UTILITY, args).ok();
    let echo = ["echo", "--address", kit.address(), "hello"];
    assert_eq!(Run::new(UTILITY).args(echo).ok(), "hello\n");
    assert!(ask(kit, UTILITY, &["inspect"]).ok().contains("num_records=0\n"));
    ok(&["set", "one", "first"]);
    ok(&["set", "two", "second"]);
    ok(&["set", "three", "third"]);
    assert_eq!(ok(&["get", "one"]), "first\n");
    ask(kit, UTILITY, &["set", "--no_overwrite", "one", "x"]).run().fails(&["DUPLICATION_ERROR"]);
    ask(kit, UTILITY, &["get", "none"]).run().fails(&["NOT_FOUND_ERROR"]);
    ok(&["set", "--multi", "1", "hop", "2", "step", "3", "jump"]);
    ok(&["set", "--append", ":", "--multi", "1", "hop", "2", "step", "3", "jump"]);
    assert_eq!(ok(&["get", "--multi", "1", "2", "3"]), "1\thop:hop\n2\tstep:step\n3\tjump:jump\n");
    ok(&["remove", "--multi", "1", "2", "3"]);
    assert_eq!(sorted(&ok(&["list"])), ["one\tfirst", "three\tthird", "two\tsecond"]);
    assert!(ok(&["list", "--move", "jump", "--jump_key", "two"]).starts_with("two\tsecond\n"));
    ok(&["remove", "one"]);
    ok(&["rebuild"]);
    ok(&["sync"]);
    assert_eq!(sorted(&ok(&["search", "--mode", "begin", "t"])), ["three\tthird", "two\tsecond"]);
    assert_eq!(ok(&["set", "--incr", "100", "n", "5"]), "105\n");
    ok(&["clear"]);
    ok(&["queue", "--notify", "hop", "step", "jump"]);
    let popped: Vec<String> = (0..3).map(|_| ok(&["queue", "--retry", "1"])).collect();
    if kit.ordered {
        assert_eq!(popped, ["hop\n", "step\n", "jump\n"]);
    }
    ask(kit, UTILITY, &["queue"]).run().fails(&["NOT_FOUND_ERROR"]);
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// It checks itself, and its exit code says what it found.
fn perf(kit: &Kit) {
    let runs: [&[&str]; 6] = [
        &["sequence", "--iter", "500"],
        &["sequence", "--iter", "500", "--stream", "--threads", "2"],
        &["sequence", "--iter", "500", "--multi", "10"],
        &["parallel", "--iter", "500", "--threads", "3", "--separate", "--stream", "--random_key"],
        &["wicked", "--iter", "500", "--threads", "3", "--iterator", "--clear", "--rebuild"],
        &["queue", "--iter", "100", "--threads", "3", "--notify"],
    ];
    for args in runs {
        ask(kit, PERF, args).ok();
    }
}

const PYTHON: &str = "
import sys, tkrzw_rpc
from tkrzw_rpc import Status
dbm = tkrzw_rpc.RemoteDBM()
assert dbm.Connect(sys.argv[1]) == Status.SUCCESS
dbm.SetDBMIndex(int(sys.argv[2]))
assert dbm.Echo('hello') == 'hello'
assert dbm.Set('one', 'first', False) == Status.SUCCESS
assert dbm.Set('one', 'uno', False) == Status.DUPLICATION_ERROR
assert dbm.GetStr('one') == 'first' and dbm.Get('none') is None
assert dbm.Append('one', 'more', ':') == Status.SUCCESS
assert dbm.CompareExchange('one', 'first:more', 'other') == Status.SUCCESS
assert dbm.CompareExchange('one', 'first', 'x') == Status.INFEASIBLE_ERROR
assert dbm.CompareExchangeMulti([('one', 'other'), ('two', None)], [('one', None), ('two', '2')]) == Status.SUCCESS
assert dbm.Increment('n', 5, 100) == 105
assert dbm.Count() == 2
assert dbm.SetMulti(True, s='1', t='2') == Status.SUCCESS
assert dbm.GetMultiStr('s', 't', 'u') == {'s': '1', 't': '2'}
assert dbm.RemoveMulti('s', 'u') == Status.NOT_FOUND_ERROR
found = set()
walk = dbm.MakeIterator()
assert walk.First() == Status.SUCCESS
while True:
    record = walk.GetStr()
    if not record: break
    found.add(record[0])
    walk.Next()
del walk
assert found == {'two', 'n', 't'}, found
assert sorted(dbm.Search('begin', 't')) == ['t', 'two']
assert dbm.Clear() == Status.SUCCESS
assert dbm.PushLast('value', -1, True) == Status.SUCCESS
assert dbm.PopFirstStr()[1] == 'value' and dbm.PopFirst() is None
assert dbm.Synchronize(True) == Status.SUCCESS and dbm.Rebuild() == Status.SUCCESS
assert dict(dbm.Inspect())['num_records'] == '0'
assert dbm.Disconnect() == Status.SUCCESS
print('done')
";

fn python(kit: &Kit) {
    let index = kit.index.to_string();
    let said = Run::new("python3").args(["-c", PYTHON, kit.address(), &index]).ok();
    assert_eq!(said, "done\n");
}
