//! Whether commits of clients are taken, and if not, why.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hozo_traits::{Error, ErrorKind, Result, Role};
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
    role: Role,
    source: Option<String>,
    /// Whether the config makes it the home of two masters.
    chosen: bool,
    fenced: Option<String>,
    stopped: bool,
    /// Whether the other master is the home as well.
    contested: bool,
    /// Whether the other master says that it is the home.
    other: Option<bool>,
    /// Followers that have to have a commit, which only a server reaches.
    ack: u32,
    served: bool,
}

impl State {
    fn takes(&self) -> bool {
        let home = match self.role {
            Role::Master => true,
            Role::DualMaster => self.chosen,
            Role::Follower => false,
        };
        let reached = self.served || self.ack == 0;
        home && reached && self.fenced.is_none() && !self.stopped && !self.contested
    }
}

impl Home {
    /// What a server of this config is while it does not run: what it was told
    /// last while it ran, else what the config says.
    pub fn at_rest(config: &Config) -> Result<Arc<Home>> {
        let told = RoleFile::read_in(Path::new(&config.dir))?;
        let (role, source) = match told {
            Some(RoleFile { role, source }) => (role, source),
            None => (config.role, config.follow.clone()),
        };
        let state = State {
            role,
            source,
            chosen: config.home,
            fenced: None,
            stopped: false,
            contested: false,
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
        if state.stopped {
            return Error::new(ErrorKind::Unavailable, "the server stops");
        }
        if let Some(why) = &state.fenced {
            return Error::new(ErrorKind::ReadOnly, why.clone());
        }
        let what = match state.role {
            _ if state.contested => {
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
        let error = Error::new(ErrorKind::ReadOnly, what);
        match &state.source {
            Some(source) => error.with("source", source),
            None => error,
        }
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
            if (state.role, &state.source) != (standing.role, &standing.source) {
                (state.contested, state.other) = (false, None);
            }
            state.role = standing.role;
            state.source = standing.source.clone();
            state.fenced = standing.fenced.clone();
            state.stopped = standing.stopped;
        });
    }

    /// An error if the server stops.
    pub(crate) fn refuse_stopped(&self) -> Result<()> {
        match self.state.lock().stopped {
            true => Err(Error::new(ErrorKind::Unavailable, "the server stops")),
            false => Ok(()),
        }
    }

    /// Whether this is to be one of two masters, and their namespaces' home.
    pub(crate) fn is_chosen_of_two(&self) -> bool {
        let state = self.state.lock();
        state.role == Role::DualMaster && state.chosen
    }

    /// The source says whether it is the home.
    pub(crate) fn other_says(&self, home: bool) {
        self.change(|state| {
            state.other = Some(home);
            let contested = home && state.chosen && state.role == Role::DualMaster;
            if contested && !state.contested {
                tracing::error!("both masters are the home of namespaces: commits are refused");
            }
            state.contested = contested;
        });
    }
}
