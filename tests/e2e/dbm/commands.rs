//! The commands one by one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use hozo_tests::Scratch;
use serde_json::{Value, json};

use super::place::{Place, listening};

#[track_caller]
fn answer(place: &Place, args: &[&str]) -> Value {
    let text = place.dbm(args).arg("--json").ok();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
}

pub(super) fn records() {
    Place::each(|place| {
        place.ok(&["append", "list", "a", "--delimiter", ","]);
        place.ok(&["append", "list", "b", "-d", ","]);
        assert_eq!(place.ok(&["get", "list"]), "a,b\n");
        assert_eq!(place.ok(&["get", "list", "--raw"]), "a,b");
        assert_eq!(place.ok(&["incr", "n"]), "1\n");
        assert_eq!(place.ok(&["incr", "n", "-5"]), "-4\n");
        assert_eq!(place.ok(&["incr", "n", "read"]), "-4\n");
        assert_eq!(place.ok(&["incr", "m", "3", "--initial", "10"]), "13\n");
        assert_eq!(place.ok(&["set", "n", "-6", "--incr", "0"]), "-10\n");
        place.fails(&["set", "n", "much", "--incr", "0"], 2, &["number"]);
        assert_eq!(place.ok(&["get", "6e", "--hex"]), "fffffffffffffff6\n");
        place.ok(&["rekey", "list", "letters"]);
        place.fails(&["rekey", "list", "letters"], 3, &["NOT_FOUND_ERROR", "\"list\""]);
        place.fails(
            &["rekey", "letters", "n", "--no-overwrite"],
            4,
            &["DUPLICATION_ERROR", "\"n\""],
        );
        place.ok(&["rekey", "letters", "copy", "--copy"]);
        assert_eq!(place.ok(&["get", "--multi", "letters", "copy"]), "copy\ta,b\nletters\ta,b\n");
        place.fails(
            &["set", "--multi", "new", "1", "copy", "2", "--no-overwrite"],
            4,
            &["DUPLICATION_ERROR", "the others are stored"],
        );
        assert_eq!(place.ok(&["get", "--multi", "new", "copy"]), "copy\ta,b\nnew\t1\n");
        place.fails(&["set", "--multi", "new", "1", "odd"], 2, &["\"odd\" has no value"]);
        place.fails(&["get", "a", "b"], 2, &["--multi"]);
        place.ok(&["set", "", ""]);
        assert_eq!(place.ok(&["get", ""]), "\n");
        place.ok(&["rebuild", "--if-needed"]);
        assert_eq!(place.ok(&["health"]), "serving\n");
        assert_eq!(place.ok(&["health", "--dbm", "log"]), "serving\n");
        assert_eq!(place.ok(&["count", "--dbm", "log"]), "0\n");
    });
}

pub(super) fn comparisons() {
    Place::each(|place| {
        place.ok(&["cas", "k", "--expect-absent", "--set", "1"]);
        let failed = ["INFEASIBLE_ERROR", "\"k\"", "not as expected"];
        place.fails(&["cas", "k", "--expect-absent", "--set", "2"], 4, &failed);
        place.fails(&["cas", "k", "--expect", "2", "--remove"], 4, &failed);
        let said = place.dbm(&["cas", "k", "--expect", "2", "--remove", "--actual"]).run();
        assert_eq!((said.code, said.stdout.as_str()), (Some(4), "1\n"), "{said}");
        assert_eq!(place.ok(&["cas", "k", "--expect", "1", "--set", "3", "--actual"]), "1\n");
        place.ok(&["cas", "k", "--expect-any", "--keep"]);
        assert_eq!(place.ok(&["get", "k"]), "3\n");
        place.ok(&["cas", "k", "--expect-any", "--remove"]);
        place.fails(&["cas", "k", "--expect-any", "--keep", "--retry", "0.05"], 4, &failed);
        place.fails(&["cas", "k"], 2, &["--expect-absent", "--keep"]);
        // Many at once.
        let changes = "a\tabsent\tset:1\\t2\nb\tabsent\tset:\nc\t-\tset:x\n";
        place.dbm(&["cas", "--file", "-"]).input(changes).ok();
        assert_eq!(place.ok(&["get", "--multi", "a", "b", "c"]), "a\t1\t2\nb\t\nc\tx\n");
        let said = place.dbm(&["cas", "--file", "-"]).input(changes).run();
        assert_eq!(said.code, Some(4), "{said}");
        said.fails(&["INFEASIBLE_ERROR", "none changed"]);
        place.scratch.write("swap.tsv", "a\tis:1\\t2\tremove\nb\tis:\t-\nc\tany\tset:y\n");
        place.ok(&["cas", "--file", "swap.tsv"]);
        assert_eq!(place.ok(&["get", "--multi", "a", "b", "c"]), "b\t\nc\ty\n");
        place.dbm(&["cas", "--file", "-"]).input("a\tmaybe\t-").run().fails(&["line 1", "maybe"]);
    });
}

pub(super) fn ordered() {
    let place = Place::tcp();
    let dbm = |args: &[&str]| place.dbm(args).args(["--dbm", "ordered"]).ok();
    let list = |args: &[&str]| {
        let lines = dbm(&[&["list", "--keys"], args].concat());
        lines.lines().collect::<Vec<_>>().join(" ")
    };
    for n in ["1", "2", "3", "5", "6"] {
        dbm(&["set", n, "v"]);
    }
    assert_eq!(list(&[]), "1 2 3 5 6");
    assert_eq!(list(&["-n", "2"]), "1 2");
    assert_eq!(list(&["--move", "last"]), "6 5 3 2 1");
    assert_eq!(list(&["--reverse", "--items", "1"]), "6");
    for (start, key, forward) in [
        ("jump", "3", "3 5 6"),
        ("jump", "4", "5 6"),
        ("jumplower", "3", "2 3 5 6"),
        ("jumplower", "4", "3 5 6"),
        ("jumplowerinc", "3", "3 5 6"),
        ("jumpupper", "3", "5 3 2 1"),
        ("jumpupper", "4", "5 3 2 1"),
        ("jumpupperinc", "3", "3 2 1"),
    ] {
        assert_eq!(list(&["--move", start, "--jump-key", key]), forward, "{start} {key}");
    }
    assert_eq!(list(&["--move", "jumplower", "--jump-key", "4", "--reverse"]), "3 2 1");
    assert_eq!(list(&["--move", "jumpupper", "--jump-key", "4", "--reverse"]), "5 6");
    let args = ["list", "--move", "jumplower", "--jump-key", "1", "--dbm", "ordered"];
    place.fails(&args, 3, &["NOT_FOUND_ERROR", "\"1\""]);
    let search = |mode: &str, pattern: &str, items: &str| {
        let args = ["search", "--keys", "--mode", mode, pattern, "--items", items];
        dbm(&args).lines().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(search("upper", "3", "10"), "5 6");
    assert_eq!(search("upperinc", "3", "2"), "3 5");
    assert_eq!(search("lower", "3", "0"), "2 1");
    assert_eq!(search("lowerinc", "4", "1"), "3");
    for n in 0..250 {
        dbm_set(&place, &format!("many{n:03}"));
        if n == 3 {
            assert_eq!(dbm(&["search", "many"]).lines().count(), 4);
        }
    }
    let found = dbm(&["search", "--mode", "begin", "many", "--items", "0"]);
    assert_eq!(found.lines().count(), 250);
    assert!(found.lines().all(|line| line.ends_with("\tvalue")), "{found}");
}

/// Sets it in the ordered DBM.
fn dbm_set(place: &Place, key: &str) {
    place.dbm(&["set", key, "value", "--dbm", "ordered"]).ok();
}

pub(super) fn waiting() {
    for place in [Place::tcp(), Place::unix()] {
        let waiting = place.dbm(&["pop", "--retry", "100", "--key", "--dbm", "log"]).start();
        let exchanging = ["cas", "flag", "--expect", "up", "--remove", "--retry", "100"];
        let exchanging = place.dbm(&exchanging).start();
        // Whether they wait already or come later, they get what they wait for.
        place.ok(&["push", "first", "--dbm", "log", "--notify"]);
        place.ok(&["set", "flag", "up"]);
        let popped = waiting.finish().ok();
        let (time, value) = popped.trim_end().split_once('\t').expect("time and value");
        assert_eq!(value, "first");
        let (seconds, micros) = time.split_once('.').expect("a fraction");
        assert!(seconds.len() == 10 && micros.len() == 6, "{time}");
        exchanging.finish().ok();
        place.fails(&["get", "flag"], 3, &["NOT_FOUND_ERROR"]);
        // Nobody pushes.
        let pop = ["pop", "--retry", "0.1", "--dbm", "log"];
        place.fails(&pop, 3, &["NOT_FOUND_ERROR"]);
    }
    Place::each(|place| {
        place.ok(&["push", "a", "b", "--time", "1.5", "--dbm", "log"]);
        let mut popped: Vec<String> =
            (0..2).map(|_| place.ok(&["pop", "--key", "--dbm", "log"])).collect();
        popped.sort();
        assert_eq!(popped, ["001.500000\ta\n", "001.500000\tb\n"]);
    });
}

pub(super) fn bytes() {
    Place::each(|place| {
        let key = OsStr::from_bytes(b"\xff\xfe\x01");
        let value = OsStr::from_bytes(b"\xe3\x81");
        place.dbm(&["set"]).arg(key).arg(value).ok();
        assert_eq!(place.ok(&["get", "--hex", "fffe01"]), "e381\n");
        assert_eq!(place.ok(&["list", "--hex"]), "fffe01\te381\n");
        place.ok(&["set", "--hex", "00", "0a 0d 00"]);
        assert_eq!(place.ok(&["get", "--hex", "00"]), "0a0d00\n");
        assert_eq!(place.ok(&["get", "--hex", "--multi", "00"]), "00\t0a0d00\n");
        place.fails(&["get", "--hex", "abc"], 2, &["abc", "hex"]);
        place.ok(&["set", "tab\there", "line\nend\\"]);
        assert_eq!(place.ok(&["get", "tab\there", "--escape"]), "line\\nend\\\\\n");
        let found = place.ok(&["search", "here"]);
        assert_eq!(found, "tab here\tline end\\\n");
        let found = place.ok(&["search", "here", "--escape"]);
        assert_eq!(found, "tab\\there\tline\\nend\\\\\n");
        // Values from elsewhere, as they are.
        place.dbm(&["set", "in", "-"]).input(b"\0from\ninput\n".to_vec()).ok();
        assert_eq!(place.ok(&["get", "--hex", "696e"]), "0066726f6d0a696e7075740a\n");
        let large: Vec<u8> =
            (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs::write(place.scratch.path("large"), &large).expect("a file can be written");
        place.ok(&["set", "large", "--value-file", "large"]);
        let hex = place.ok(&["get", "--hex", "6c61726765"]);
        let expected: String = large.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(hex.trim_end() == expected, "{} digits came back", hex.len());
        place.fails(&["set", "k", "--value-file", "absent"], 3, &["absent"]);
        place.ok(&["push", "--hex", "0001", "--dbm", "log"]);
        place.dbm(&["push", "-", "--dbm", "log"]).input("two").ok();
        assert_eq!(place.sorted(&["list", "--hex", "--dbm", "log"]).len(), 2);
    });
}

pub(super) fn json() {
    Place::each(|place| {
        assert_eq!(answer(place, &["set", "k", "v"]), json!({ "done": true }));
        assert_eq!(answer(place, &["get", "k"]), json!({ "key": "k", "value": "v" }));
        assert_eq!(answer(place, &["get", "--multi", "x"]), json!([]));
        assert_eq!(answer(place, &["list"]), json!([{ "key": "k", "value": "v" }]));
        assert_eq!(answer(place, &["search", "k", "--keys"]), json!([{ "key": "k" }]));
        assert_eq!(answer(place, &["incr", "n", "7"]), json!({ "value": 7 }));
        assert_eq!(
            answer(place, &["get", "--multi", "k", "n"]),
            json!([{ "key": "k", "value": "v" }, { "key": "n", "value": "\0\0\0\0\0\0\0\x07" }])
        );
        place.ok(&["set", "--hex", "ff", "fe"]);
        let both = json!([{ "key_hex": "ff", "value_hex": "fe" }]);
        assert_eq!(answer(place, &["get", "--multi", "--hex", "ff"]), both);
        assert_eq!(answer(place, &["count"]), json!({ "count": 3 }));
        assert_eq!(answer(place, &["inspect", "num_records"]), json!("3"));
        assert_eq!(answer(place, &["inspect"])["num_records"], "3");
        assert_eq!(answer(place, &["echo", "a", "b"]), json!({ "echo": "a b" }));
        assert_eq!(answer(place, &["health"]), json!({ "status": "serving" }));
        let exchanged = answer(place, &["cas", "k", "--expect-any", "--set", "w", "--actual"]);
        assert_eq!(exchanged, json!({ "done": true, "found": true, "actual": "v" }));
        answer(place, &["push", "job", "--time", "2", "--dbm", "log"]);
        let popped = answer(place, &["pop", "--dbm", "log"]);
        assert_eq!((&popped["value"], &popped["time"]), (&json!("job"), &json!(2.0)));
        answer(place, &["clear"]);
        assert_eq!(answer(place, &["list"]), json!([]));
        let failed = place.dbm(&["get", "k", "--json"]).run();
        let error: Value = serde_json::from_str(&failed.stderr).expect("errors are JSON");
        assert_eq!(error["error"]["exit_code"], 3, "{failed}");
        assert_eq!(error["error"]["kind"], "not found", "{failed}");
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.starts_with("NOT_FOUND_ERROR: "), "{failed}");
    });
}

pub(super) fn which() {
    Place::each(|place| {
        place.ok(&["set", "k", "in casket"]);
        place.ok(&["set", "k", "in log", "--dbm", "log"]);
        for (args, value) in [
            (&["get", "k"][..], "in casket\n"),
            (&["get", "k", "--index", "0"], "in casket\n"),
            (&["get", "k", "--dbm", "casket"], "in casket\n"),
            (&["get", "k", "--index", "1"], "in log\n"),
            (&["--dbm", "log", "get", "k"], "in log\n"),
        ] {
            assert_eq!(place.ok(args), value, "{args:?}");
        }
        place.fails(&["get", "k", "--dbm", "lgo"], 3, &["lgo", "casket", "log"]);
        place.fails(&["get", "k", "--dbm", "log", "--index", "1"], 2, &["--dbm", "--index"]);
    });
    let place = Place::direct();
    place.fails(&["get", "k", "--index", "5"], 3, &["[[dbm]]", "5", "casket"]);
    place.fails(&["get", "k", "--token", "t"], 2, &["--address"]);
    // Another one of the store, which the config does not name.
    place.fails(&["get", "k", "--store", "main"], 2, &["--dbm"]);
    place.ok(&["set", "k", "aside", "--store", "main", "--dbm", "more"]);
    assert_eq!(place.ok(&["get", "k", "--store", "main", "--dbm", "more"]), "aside\n");
    place.fails(&["get", "k", "--store", "other", "--dbm", "more"], 3, &["other"]);
    let bare = Scratch::new();
    bare.hozo(&["dbm", "get", "k"]).run().fails(&["[[dbm]]", "--store"]);
    bare.hozo(&["dbm", "set", "k", "v", "--store", "main", "--dbm", "d"]).ok();
    // A store that is served.
    let place = Place::tcp();
    let aside = place.scratch.hozo(&["dbm", "get", "k"]).run();
    assert_eq!(aside.code, Some(4), "{aside}");
    aside.fails(&["--address"]);
    place.fails(&["get", "k", "--store", "main"], 2, &["--store"]);
}

pub(super) fn protected() {
    let scratch = Scratch::empty();
    certificates(&scratch);
    let token = scratch.hozo(&["token", "new", "web", "--right", "casket=read"]);
    let token = token.args(["--file", "tokens.toml"]).ok();
    let token = token.split_whitespace().find(|word| word.starts_with("hozo_"));
    let token = token.expect("the token is printed").to_owned();
    scratch.write("token", &format!("{token}\n"));
    scratch.write(
        "hozo.toml",
        "[store.main]\nbackend = \"memory\"\n[[dbm]]\nname = \"casket\"\n[[frontend]]\nkind = \
         \"rpc\"\nlisten = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"\ntls = { cert = \
         \"server.pem\", key = \"server.key\" }\n[[frontend]]\nkind = \"rpc\"\nlisten = \
         \"127.0.0.1:0\"\ntls = { cert = \"server.pem\", key = \"server.key\", client_ca = \
         \"ca.pem\" }\n",
    );
    let mut server = scratch.hozo(&["serve"]).start();
    let address = format!("https://localhost:{}", listening(&mut server));
    let mutual = format!("https://localhost:{}", listening(&mut server));
    let dbm = |args: &[&str]| {
        let run = scratch.hozo(&["dbm", "--address", &address, "--timeout", "20"]);
        run.args(["--tls-ca", "ca.pem"]).args(args)
    };
    dbm(&["count"]).run().fails(&["NETWORK_ERROR: UNAUTHENTICATED"]);
    dbm(&["count", "--token", "hozo_wrong"]).run().fails(&["NETWORK_ERROR: UNAUTHENTICATED"]);
    assert_eq!(dbm(&["count", "--token", &token]).ok(), "0\n");
    assert_eq!(dbm(&["count", "--token-file", "token"]).ok(), "0\n");
    assert_eq!(dbm(&["count"]).env("HOZO_TOKEN", &token).ok(), "0\n");
    let set = dbm(&["set", "k", "v", "--token", &token]).run();
    set.fails(&["NETWORK_ERROR: PERMISSION_DENIED", "casket"]);
    // Where a certificate is asked for, it is enough.
    let mutual =
        |args: &[&str]| scratch.hozo(&["dbm", "--address", &mutual, "--timeout", "20"]).args(args);
    let tls = ["--tls-ca", "ca.pem", "--tls-cert", "client.pem", "--tls-key", "client.key"];
    mutual(&["set", "k", "v"]).args(tls).ok();
    let auth = ["--auth", "ssl:key=client.key,cert=client.pem,root=ca.pem"];
    assert_eq!(mutual(&["get", "k"]).args(auth).ok(), "v\n");
    mutual(&["get", "k", "--tls-ca", "ca.pem"]).run().fails(&["NETWORK_ERROR"]);
    mutual(&["get", "k", "--tls-ca", "ca.pem", "--tls-cert", "ca.pem"]).run().fails(&["--tls-key"]);
    // A server that nobody vouches for is not spoken to.
    let run = scratch.hozo(&["dbm", "--address", &address, "--tls-ca", "other.pem", "count"]);
    run.args(["--timeout", "20"]).run().fails(&["NETWORK_ERROR"]);
}

/// An authority, another one, and a certificate of the first for `localhost`.
fn certificates(scratch: &Scratch) {
    let openssl = |args: &[&str]| scratch.run("openssl").args(args).ok();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    for (name, subject) in [("ca", "/CN=an authority"), ("other", "/CN=another")] {
        let (pem, private) = (format!("{name}.pem"), format!("{name}.key"));
        let made = ["-subj", subject, "-keyout", &private, "-out", &pem, "-days", "2"];
        openssl(&[&["req", "-x509"], &key[..], &made].concat());
    }
    scratch.write("names", "subjectAltName = DNS:localhost\n");
    for name in ["server", "client"] {
        let file = |ending: &str| format!("{name}.{ending}");
        let (private, request, pem) = (file("key"), file("csr"), file("pem"));
        let made = ["-subj", "/CN=localhost", "-keyout", &private, "-out", &request];
        openssl(&[&["req", "-new"], &key[..], &made].concat());
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        let files = ["-in", &request, "-extfile", "names", "-out", &pem];
        openssl(&[&["x509", "-req"], &signed[..], &files].concat());
    }
}
