//! Whether commits of clients are taken, and if not, why.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hozo_traits::{Error, Result, Role};
use parking_lot::Mutex;

use crate::Config;
use crate::role::RoleFile;
use crate::shared::Standing;

/// Whether this server is the home of the namespaces that it replicates: of all
/// servers that have them, one takes commits.
///
/// A process that has not the update log open knows it as well: it is in the
/// config and in the directory of the log.
pub struct Home {
    takes: AtomicBool,
    state: Mutex<State>,
}

struct State {
    standing: Standing,
    /// Whether the config makes it the home of two masters.
    chosen: bool,
    /// Whether the other master says that it is the home.
    other: Option<bool>,
    /// Followers that have to have a commit, which only a server reaches.
    ack: u32,
    served: bool,
}

impl State {
    fn takes(&self) -> bool {
        let Standing { role, fenced, stopped, .. } = &self.standing;
        let home = match role {
            Role::Master => true,
            Role::DualMaster => self.chosen,
            Role::Follower => false,
        };
        let reached = self.served || self.ack == 0;
        home && reached && fenced.is_none() && !stopped && !self.contested()
    }

    fn is_chosen_of_two(&self) -> bool {
        self.chosen && self.standing.role == Role::DualMaster
    }

    /// Whether both of two masters are the home.
    fn contested(&self) -> bool {
        self.other == Some(true) && self.is_chosen_of_two()
    }
}

impl Home {
    /// What a server of this config is while it does not run: what it was told
    /// last while it ran, else what the config says.
    pub fn at_rest(config: &Config) -> Result<Arc<Home>> {
        let told = RoleFile::read_in(Path::new(&config.dir))?;
        let state = State {
            standing: Standing::at_rest(config, told),
            chosen: config.home,
            other: None,
            ack: config.ack,
            served: false,
        };
        Ok(Arc::new(Home { takes: AtomicBool::new(state.takes()), state: Mutex::new(state) }))
    }

    /// Whether commits are taken.
    pub fn takes(&self) -> bool {
        self.takes.load(Ordering::SeqCst)
    }

    /// An error unless commits are taken, with the reason.
    pub fn refuse(&self) -> Result<()> {
        if self.takes() { Ok(()) } else { Err(self.reason()) }
    }

    #[cold]
    fn reason(&self) -> Error {
        let state = self.state.lock();
        if let Some(error) = state.standing.refused() {
            return error;
        }
        let what = match state.standing.role {
            _ if state.contested() => {
                "both masters have `home = true`, and one of both is the home of namespaces: set \
                 it on one of them only"
            }
            Role::Follower => "this server is a follower: commit at its source, or promote it",
            Role::DualMaster if state.other == Some(false) && !state.chosen => {
                "neither of both masters is the home of namespaces: set `home = true` on one of them"
            }
            Role::DualMaster if !state.chosen => {
                "the other master is the home of namespaces, if its config says `home = true`: \
                 commit there, or promote this one"
            }
            _ if !state.served && state.ack > 0 => {
                "followers have to have each commit (`ack`), and only the server reaches them: run \
                 `hozo serve` and commit in its process, or set `ack = 0`"
            }
            // It was so when it was looked.
            _ => "this server was not the home of namespaces a moment ago: try again",
        };
        state.standing.elsewhere(what)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        self.takes.store(state.takes(), Ordering::SeqCst);
    }

    /// A server runs, and stands so.
    pub(crate) fn stands(&self, standing: &Standing) {
        self.change(|state| {
            state.served = true;
            let now = (standing.role, &standing.source);
            if (state.standing.role, &state.standing.source) != now {
                state.other = None;
            }
            state.standing = standing.clone();
        });
    }

    /// An error if the server stops.
    pub(crate) fn refuse_stopped(&self) -> Result<()> {
        let standing = &self.state.lock().standing;
        match standing.refused() {
            Some(error) if standing.stopped => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether this is to be one of two masters, and their namespaces' home.
    pub(crate) fn is_chosen_of_two(&self) -> bool {
        self.state.lock().is_chosen_of_two()
    }

    /// The source says whether it is the home.
    pub(crate) fn other_says(&self, home: bool) {
        self.change(|state| {
            let before = state.contested();
            state.other = Some(home);
            if state.contested() && !before {
                tracing::error!("both masters are the home of namespaces: commits are refused");
            }
        });
    }
}
