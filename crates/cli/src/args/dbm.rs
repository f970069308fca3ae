//! The command line of `hozo dbm`.

mod connection;
mod lists;
mod records;
mod whole;

use clap::{Args, Subcommand};

pub(crate) use connection::Connection;
pub(crate) use lists::{List, Move, Pop, Push, Queue, Search, Shown};
pub(crate) use records::{Append, Cas, Get, Incr, Rekey, Remove, Set};
pub(crate) use whole::{
    Clear, Count, Echo, Export, FileForm, Health, Import, Inspect, Rebuild, Sync,
};

/// Read and write the records of a DBM, here or on a server
///
/// With --address it talks to any server of the DBM service: `hozo serve`, or
/// tkrzw_server. Without one it opens the store of the config itself, which works where no
/// other process has it open. Which of the DBMs --dbm or --index says, the first if neither.
///
/// Keys and values are bytes: arguments are taken as they are, whatever they are encoded
/// in, and values are written as they are. What begins with a dash comes after `--`. For
/// bytes that no argument can have there is --hex, and for values `-` (standard input)
/// and --value-file.
///
/// Examples:
///   hozo dbm set Japan Tokyo
///   hozo dbm --address localhost:1978 --dbm log list --items 0 --escape
///   hozo dbm --address https://db.example:1978 --tls-ca ca.pem search --mode begin Ja
///   hozo dbm export casket.flat
///   hozo dbm import --tsv casket.tsv --address unix:/run/hozo/dbm.sock
///
/// Errors begin with the code that Tkrzw has for them, as in `NOT_FOUND_ERROR: ...`. A
/// record that is not there is exit code 3; one that is there but should not be
/// (DUPLICATION_ERROR), or is not as expected (INFEASIBLE_ERROR), is 4.
///
/// In JSON a key or a value is a string; if it is not UTF-8, or --hex is given, it is
/// hex digits in a field with `_hex` after its name, such as "key_hex". What has nothing
/// else to answer answers {"done": true}.
///
/// The options and commands of tkrzw_dbm_remote_util work here, too, in its spelling, but
/// for changemaster and replicate.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Dbm {
    #[command(flatten)]
    pub(crate) to: Connection,
    #[command(subcommand)]
    pub(crate) command: DbmCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum DbmCommand {
    Get(Get),
    Set(Set),
    Append(Append),
    Incr(Incr),
    Remove(Remove),
    Cas(Cas),
    Rekey(Rekey),
    List(List),
    Search(Search),
    Push(Push),
    Pop(Pop),
    #[command(hide = true)]
    Queue(Queue),
    Import(Import),
    Export(Export),
    Count(Count),
    Inspect(Inspect),
    Clear(Clear),
    Rebuild(Rebuild),
    Sync(Sync),
    Echo(Echo),
    Health(Health),
}
