//! Somewhere to run `hozo dbm`.

use hozo_tests::{Run, Running, Scratch};

/// A store with two DBMs, `casket` and `log`, and another one, in memory, with one that
/// is `ordered`: the command opens them itself or asks a server for them.
pub(super) struct Place {
    pub(super) scratch: Scratch,
    server: Option<Running>,
    address: Option<String>,
    /// The DBM that is meant where nothing is said; otherwise it is the first.
    dbm: Option<&'static str>,
}

/// What `HOZO_TEST_STORE` names, or the default.
pub(super) fn backend() -> String {
    std::env::var("HOZO_TEST_STORE").unwrap_or_else(|_| "hashdbm".to_owned())
}

/// The port of the next line of `hozo serve`.
pub(super) fn listening(server: &mut Running) -> String {
    let line = server.wait_for("127.0.0.1:");
    let (_, rest) = line.split_once("127.0.0.1:").expect("the line has it");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

impl Place {
    /// The command opens the store itself.
    pub(super) fn direct() -> Place {
        let scratch = Scratch::empty();
        let config = format!(
            "[store.main]\nbackend = \"{}\"\npath = \"data\"\n\n[store.ordered]\nbackend = \
             \"memory\"\n\n[[dbm]]\nname = \"casket\"\n\n[[dbm]]\nname = \"log\"\n\n[[dbm]]\nname \
             = \"ordered\"\nstore = \"ordered\"\n\n[[frontend]]\nkind = \"rpc\"\nlisten = \
             [\"127.0.0.1:0\", \"unix:dbm.sock\"]\n",
            backend()
        );
        scratch.write("hozo.toml", &config);
        Place { scratch, server: None, address: None, dbm: None }
    }

    /// The same behind a server, on TCP.
    pub(super) fn tcp() -> Place {
        let mut place = Place::direct();
        let mut server = place.scratch.hozo(&["serve"]).start();
        place.address = Some(format!("localhost:{}", listening(&mut server)));
        place.server = Some(server);
        place
    }

    /// The same on a Unix socket.
    pub(super) fn unix() -> Place {
        let mut place = Place::tcp();
        place.address = Some(format!("unix:{}", place.scratch.path("dbm.sock").display()));
        place
    }

    /// The DBM in memory, behind a server.
    pub(super) fn ordered() -> Place {
        let mut place = Place::tcp();
        place.dbm = Some("ordered");
        place
    }

    /// Runs a test in each.
    pub(super) fn each(test: fn(&Place)) {
        for place in [Place::direct(), Place::tcp(), Place::unix()] {
            test(&place);
        }
    }

    pub(super) fn is_direct(&self) -> bool {
        self.address.is_none()
    }

    /// Whether its records are in the order of keys.
    pub(super) fn is_ordered(&self) -> bool {
        self.dbm.is_some() || backend() != "hashdbm"
    }

    /// Whether its records are in files.
    pub(super) fn is_on_disk(&self) -> bool {
        self.dbm.is_none()
    }

    /// `hozo dbm` here, unless it says itself where.
    pub(super) fn dbm(&self, args: &[&str]) -> Run {
        let mut run = self.scratch.hozo(&["dbm"]).args(args);
        if let Some(name) = self.dbm
            && !args.contains(&"--index")
            && !args.contains(&"--server")
        {
            run = run.args(["--dbm", name]);
        }
        match &self.address {
            Some(address) if !args.contains(&"--address") => run.args(["--address", address]),
            _ => run,
        }
    }

    /// What it answers, which must go well.
    #[track_caller]
    pub(super) fn ok(&self, args: &[&str]) -> String {
        self.dbm(args).ok()
    }

    /// Fails with this code, saying these words, and nothing on standard output.
    #[track_caller]
    pub(super) fn fails(&self, args: &[&str], code: i32, words: &[&str]) {
        let ran = self.dbm(args).run();
        assert_eq!(ran.code, Some(code), "{ran}");
        assert_eq!(ran.stdout, "", "{ran}");
        ran.fails(words);
    }

    /// The lines of an answer, sorted: for stores without an order.
    #[track_caller]
    pub(super) fn sorted(&self, args: &[&str]) -> Vec<String> {
        let mut lines: Vec<String> = self.ok(args).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}
