//! Which DBM, and where.

use clap::Args;

use crate::args::server::Server;

/// Which DBM, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which DBM")]
pub(crate) struct Connection {
    /// The DBM of this name.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) dbm: Option<String>,
    /// The DBM at this place in the config, from 0 on.
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    pub(crate) index: Option<i32>,
    /// The store of the config in which the DBM that --dbm names is, where no [[dbm]]
    /// of the config says so. It is made if it is not there.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) store: Option<String>,
    /// Keys and values are hex digits, in arguments and in what is written.
    #[arg(long, global = true)]
    pub(crate) hex: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}
