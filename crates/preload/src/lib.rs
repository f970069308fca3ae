//! `LD_PRELOAD` library that lets unmodified SQLite programs open namespaces.
//!
//! ```text
//! LD_PRELOAD=/path/to/libhozo_preload.so HOZO_CONFIG=/path/to/hozo.toml sqlite3 app
//! ```
//!
//! It stands before `sqlite3_open`, `sqlite3_open16` and `sqlite3_open_v2`, and
//! nothing else. It links no SQLite: it finds the one that its caller is bound
//! to, registers the VFS `hozo` there (never as the default), and gives it the
//! names that are namespaces. Every other open goes on as it was called.
//!
//! # Which names are namespaces
//!
//! Those that the config maps, and those of namespaces that exist, with or
//! without `@` and a moment. `:memory:`, an empty name, a URI with
//! `mode=memory`, an explicit VFS, an absolute path and a path with `./` never
//! are. If a name may be a namespace's and the store cannot be opened, the open
//! fails, with the reason in `sqlite3_errmsg` and on standard error: it never
//! becomes a plain file.
//!
//! A plain connection's `ATTACH 'app'` is a plain file, since the VFS of an
//! attached database is that of the connection. `ATTACH 'file:app?vfs=hozo'`
//! is the namespace, where the program has URIs on.
//!
//! # Environment
//!
//! | variable | meaning |
//! |---|---|
//! | `HOZO_CONFIG` | the config. Unset or empty: every open is passed through |
//! | `HOZO_PRELOAD_REGISTER` | `1`: register the VFS when the library is loaded, in the program's own SQLite or else in `libsqlite3.so.0`. Or the libraries to register it in, with `:` between them. For programs that call SQLite past this library (PHP, which loads with `RTLD_DEEPBIND`; `dlopen` and `dlsym`); those then name namespaces as `file:app?vfs=hozo` |
//! | `HOZO_DOCTOR_REPORT` | a file to append facts to; see below |
//!
//! The library's constructor looks at these and, if neither of the last two is
//! set, does nothing else. A process that opens no namespace reads no config, starts
//! no thread and keeps no file open.
//!
//! # Processes and threads
//!
//! Any number of threads may open. A process may fork after the library was
//! loaded, and open afterwards. The child of a process that had opened a store
//! is refused, with that reason, and ends as it would without us. Nothing is
//! closed at exit: what was committed is in the store's log, and destructors
//! that wait for threads are worse than none.
//!
//! # The doctor's protocol
//!
//! Each fact is one line of JSON, appended in one write, with the key `fact`
//! saying which it is and `pid` the process. Unknown facts and keys are to be
//! ignored.
//!
//! | fact | when | keys |
//! |---|---|---|
//! | `loaded` | the library was loaded | `program` (path), `version` (of this library), `config` (path or null) |
//! | `sqlite` | after `loaded` and before `ended`, for each loaded object that has an SQLite in it | `object` (path, or `the main program`), `exports` (bool: its functions can be reached by name), `reached` (bool: an open came through here and went there) |
//! | `registered` | for each library of `HOZO_PRELOAD_REGISTER` | `library`, `why_not` (null if it was) |
//! | `open` | an open came through here | `name` (or null), `outcome` (`plain`, `ours`, `refused`), `why` (of `refused`), `code` (SQLite's), `caller` (the object that called), `sqlite` and `sqlite_version` (where it went) |
//! | `open` | SQLite asked the VFS for a name that did not come through here: `ATTACH`, or `HOZO_PRELOAD_REGISTER` | `name`, `outcome` (`ours`, `refused`), `why` |
//! | `ended` | the program called `exit` or returned from `main` | |
//!
//! What they say about a program, in the order to judge it:
//!
//! - no `loaded`: the linker did not load this library. The program is
//!   statically linked, or runs with more rights than its caller.
//! - an `open` with `ours`: works. With `refused`: reached, and `why` says what
//!   to mend. With `plain` only: its SQLite is reached, and the name that it
//!   opens is not a namespace.
//! - no `open`, and a `sqlite` with `reached` false: the program's SQLite is
//!   called past this library. With `exports` true, `HOZO_PRELOAD_REGISTER` and
//!   `file:app?vfs=hozo` work; with false its symbols are hidden or linked in,
//!   and the loadable extension or FUSE is the way.
//! - neither: it opened no database with SQLite in this run, or unloaded its
//!   SQLite before it ended, as PHP does; `HOZO_PRELOAD_REGISTER=1` then tells.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

mod copy;
mod dl;
mod entry;
mod hook;
mod name;
mod refuse;
mod register;
mod report;
mod scan;
mod site;
mod store;

hozo_loaded::forget_destructors!();
