//! Files that somebody writes, and the words in them.

use hozo::rpc::{Listen, parse_tokens, token_hash};
use hozo::{Plan, Registry};

/// Where nothing is looked for.
const NOWHERE: &str = "/nonexistent";

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A file of tokens: all of it makes sense, or none of it is taken.
pub(super) fn tokens(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match parse_tokens(text) {
        Ok(entries) => {
            let names: std::collections::BTreeSet<_> = entries.iter().map(|e| &e.name).collect();
            assert_eq!(names.len(), entries.len(), "two tokens have one name");
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    let hash: String = token_hash("hozo_x").iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = |name: &str, rights: &str| {
        format!("[[token]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nrights = {rights}\n")
    };
    let one = entry("web", "{ casket = \"read\", \"*\" = \"admin\" }");
    let both = one.clone() + &entry("other", "{}").replace("a", "b");
    vec![one.into_bytes(), both.into_bytes(), b"token = []".to_vec(), Vec::new()]
}

/// A whole config, or what stands below stores: `[[dbm]]` and `[[frontend]]`.
pub(super) fn config(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let registry = Registry::serving();
    let stores = "[store.main]\nbackend = \"memory\"\n[store.other]\nbackend = \"memory\"\n";
    for text in [text.to_owned(), format!("{stores}{text}")] {
        // A name to listen at would be looked up, and nobody answers here.
        if asks_for_a_name(&text) {
            continue;
        }
        match Plan::from_text("fuzz.toml", &text, NOWHERE, &registry) {
            Ok(plan) => {
                assert!(!plan.stores().is_empty());
                for dbm in plan.dbms() {
                    assert!(!dbm.name().is_empty() && !dbm.durability_name().is_empty());
                }
                plan.frontends().iter().for_each(|frontend| drop(frontend.claims()));
            }
            Err(problems) => assert!(!problems.to_string().is_empty()),
        }
    }
}

/// Whether some word of the text is a host's name with a port.
fn asks_for_a_name(text: &str) -> bool {
    let words =
        text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']'));
    let name =
        |word: &str| matches!(word.parse(), Ok(Listen::Name(name, _)) if name != "localhost");
    words.into_iter().any(name) || text.contains('\\')
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    let dbm = "[[dbm]]\nname = \"casket\"\nstore = \"main\"\ndurability = \"durable\"\n";
    let frontend = "[[frontend]]\nkind = \"rpc\"\nlisten = [\"127.0.0.1:1978\", \"unix:a.sock\"]\n\
        insecure = false\nsocket_mode = \"0660\"\ntokens = \"tokens.toml\"\n\
        tls = { cert = \"a.pem\", key = \"a.key\", client_ca = \"ca.pem\" }\n\
        max_message_bytes = 4194304\nmax_connections = 10\nmax_streams = 10\nmax_requests = 5\n\
        idle_timeout_s = 900\nrequest_timeout_s = 60\nstop_timeout_s = 10\nthreads = 0\n\
        reflection = true\n";
    let beyond = "[[dbm]]\nname = \"a\"\n[[frontend]]\nkind = \"rpc\"\nlisten = \"[::]:1978\"\n";
    let store = "[store.main]\nbackend = \"memory\"\n";
    [format!("{dbm}{frontend}"), beyond.to_owned(), format!("{store}{dbm}{dbm}{frontend}")]
        .map(String::into_bytes)
        .to_vec()
}

/// Where to listen. What is understood is written and understood again.
pub(super) fn listen(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match text.parse::<Listen>() {
        Ok(listen) => {
            let again: Listen = listen.to_string().parse().expect("what it writes it reads");
            assert_eq!(again, listen);
            listen.is_local();
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

pub(super) fn listen_seeds() -> Vec<Vec<u8>> {
    let words = [
        "127.0.0.1:1978",
        "[::1]:1978",
        "[::]:0",
        "localhost:1978",
        "db-1.example.org:80",
        "unix:/run/hozo/dbm.sock",
        "unix:///a",
        "unix:a b",
        "*:1978",
        "1.2.3:4",
        "[::ffff:1.2.3.4%1]:5",
    ];
    words.map(|word| word.as_bytes().to_vec()).to_vec()
}
