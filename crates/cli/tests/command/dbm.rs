//! `hozo dbm`, where it does not need the end-to-end tests.

use serde_json::json;

use super::run::Home;
use super::served::Served;

/// A DBM in memory, served: as many processes as there are use it.
fn home() -> Home {
    let home = Home::empty();
    home.write(
        "hozo.toml",
        "[store.main]\nbackend = \"memory\"\n[[dbm]]\nname = \"casket\"\n\
         [[frontend]]\nkind = \"rpc\"\nlisten = \"unix:dbm.sock\"\n",
    );
    home
}

#[test]
fn a_record_is_a_queue_of_one() {
    let home = home();
    let served = Served::start(&home, &[]);
    served.line();
    let queue = |args: &[&str]| {
        let place = ["dbm", "--address", "unix:dbm.sock", "queue", "--compex", "job"];
        home.run(place.iter().chain(args))
    };
    assert_eq!(queue(&["a\tb"]).ok(), "");
    queue(&["c"]).fails(4, &["INFEASIBLE_ERROR", "there is a record \"job\" already"]);
    assert_eq!(queue(&["--key", "--escape"]).ok(), "job\ta\\tb\n");
    queue(&[]).fails(4, &["INFEASIBLE_ERROR", "there is no record \"job\""]);
    queue(&["--retry", "0.05"]).fails(4, &["INFEASIBLE_ERROR"]);
    queue(&["d"]).ok();
    let taken = queue(&["--json"]).ok();
    let taken: serde_json::Value = serde_json::from_str(&taken).unwrap();
    assert_eq!(taken, json!({ "key": "job", "value": "d" }));
    // Whether who takes comes first or later, and the second value waits for the first
    // to be taken.
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| [(); 2].map(|()| queue(&["--retry", "100", "--notify"]).ok()));
        queue(&["first", "second", "--retry", "100", "--notify"]).ok();
        assert_eq!(taking.join().unwrap(), ["first\n", "second\n"]);
    });
}
