//! The client library in this process: loaded once, configured once, its network
//! thread started once. It is never started again, nor does it survive a fork: so
//! it is started with the first store, and stopped by the end of the process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use foundationdb::api::{FdbApiBuilder, NetworkBuilder, NetworkStop, get_max_api_version};
use foundationdb::options::NetworkOption;
use hozo_traits::{Error, ErrorKind, Result};

use super::client;
use super::errors;
use crate::Config;

/// The API versions that are asked for: what the library offers, between these.
const API_VERSIONS: [i32; 2] = [710, 740];

/// The password of a TLS key is one line of text.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// What is the same for all stores of a process.
#[derive(PartialEq, Eq)]
struct Settings {
    client_library: Option<PathBuf>,
    external_clients: Option<PathBuf>,
    trace_dir: Option<PathBuf>,
    tls: [Option<PathBuf>; 4],
    tls_key_password: Option<String>,
    tls_verify_peers: Option<String>,
}

impl Settings {
    fn of(config: &Config) -> Settings {
        Settings {
            client_library: config.client_library.clone(),
            external_clients: config.external_clients.clone(),
            trace_dir: config.trace_dir.clone(),
            tls: [
                config.tls_certificate.clone(),
                config.tls_key.clone(),
                config.tls_ca.clone(),
                config.tls_key_password_file.clone(),
            ],
            tls_key_password: config.tls_key_password.clone(),
            tls_verify_peers: config.tls_verify_peers.clone(),
        }
    }
}

enum Network {
    Idle,
    /// Loaded; something went wrong then that cannot be tried again.
    Failed(&'static str),
    Running(Box<Running>),
}

struct Running {
    settings: Settings,
    api_version: i32,
    thread: Option<JoinHandle<()>>,
    stop: Option<NetworkStop>,
}

static NETWORK: Mutex<Network> = Mutex::new(Network::Idle);

/// The process that started the network; 0 before.
static PROCESS: AtomicU32 = AtomicU32::new(0);

fn network() -> MutexGuard<'static, Network> {
    NETWORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error in a process that was forked after the network had started: nothing
/// that is asked there would ever be answered.
pub(super) fn check_process() -> Result<()> {
    let started_in = PROCESS.load(Ordering::Acquire);
    if started_in == 0 || started_in == std::process::id() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "FoundationDB's client does not survive a fork: open the store in the process that uses \
         it, after it was forked",
    )
    .with("opened in process", started_in))
}

/// Makes sure that the network runs, with these settings; answers the API version.
pub(super) fn start(config: &Config) -> Result<i32> {
    check_process()?;
    let settings = Settings::of(config);
    let mut network = network();
    match &*network {
        Network::Idle => {}
        Network::Failed(why) => {
            return Err(Error::new(ErrorKind::Unavailable, *why));
        }
        Network::Running(running) => {
            if running.settings == settings {
                return Ok(running.api_version);
            }
            return Err(Error::new(
                ErrorKind::Invalid,
                "two stores of one process differ in client_library, external_clients, trace_dir \
                 or tls; FoundationDB's client has one configuration in a process",
            ));
        }
    }
    let password = password(config)?;
    let path = client::load(config.client_library.as_deref())?;
    *network = Network::Failed(
        "FoundationDB's client could not be started, and cannot be tried again in this process",
    );
    let newest = get_max_api_version();
    let [oldest_known, newest_known] = API_VERSIONS;
    if newest < oldest_known {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "FoundationDB's client library is older than 7.1; install 7.1 to 7.4",
        )
        .with("path", path.display())
        .with("API version", newest));
    }
    let api_version = newest.min(newest_known);
    let builder = FdbApiBuilder::default().set_runtime_version(api_version);
    let builder = builder.build().map_err(|e| errors::opening(e).with("path", path.display()))?;
    let builder = configure(builder, config, password)?;
    let (runner, wait) = builder.build().map_err(errors::opening)?;
    if !register() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "the end of the process cannot be waited for, as FoundationDB's client needs",
        ));
    }
    let run = move || {
        // SAFETY: the network is stopped, and this thread joined, before the process
        // ends: by `stop_at_exit`.
        if unsafe { runner.run() }.is_err() {
            *self::network() = Network::Failed("the network thread of FoundationDB's client ended");
        }
    };
    let thread = thread::Builder::new().name("fdb-network".to_owned()).spawn(run);
    let thread = thread.map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the network thread cannot be started").caused_by(e)
    })?;
    PROCESS.store(std::process::id(), Ordering::Release);
    let (thread, stop) = (Some(thread), Some(wait.wait()));
    *network = Network::Running(Box::new(Running { settings, api_version, thread, stop }));
    Ok(api_version)
}

fn configure(
    mut builder: NetworkBuilder,
    config: &Config,
    password: Option<String>,
) -> Result<NetworkBuilder> {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let options = [
        ("external_clients", config.external_clients.as_ref().map(path), to_external as Make),
        ("trace_dir", config.trace_dir.as_ref().map(path), NetworkOption::TraceEnable),
        ("tls_ca", config.tls_ca.as_ref().map(path), NetworkOption::TLSCaPath),
        ("tls_certificate", config.tls_certificate.as_ref().map(path), NetworkOption::TLSCertPath),
        ("tls_key_password", password, NetworkOption::TLSPassword),
        ("tls_key", config.tls_key.as_ref().map(path), NetworkOption::TLSKeyPath),
        ("tls_verify_peers", config.tls_verify_peers.clone(), verify_peers),
    ];
    for (setting, value, make) in options {
        let Some(value) = value else { continue };
        builder = builder
            .set_option(make(value))
            .map_err(|e| errors::opening(e).with("setting", setting))?;
    }
    Ok(builder)
}

type Make = fn(String) -> NetworkOption;

fn to_external(directory: String) -> NetworkOption {
    NetworkOption::ExternalClientDirectory(directory)
}

fn verify_peers(what: String) -> NetworkOption {
    NetworkOption::TLSVerifyPeers(what.into_bytes())
}

fn password(config: &Config) -> Result<Option<String>> {
    use std::io::Read;
    let Some(path) = &config.tls_key_password_file else {
        return Ok(config.tls_key_password.clone());
    };
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the file with the password of the key cannot be read")
            .with("setting", "tls_key_password_file")
            .with("path", path.display())
            .caused_by(e)
    })?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// How often it was registered because a store was closed, at most.
const CLOSINGS_MAX: u32 = 256;

static USES: AtomicU32 = AtomicU32::new(0);
static CLOSINGS: AtomicU32 = AtomicU32::new(0);

/// Registers what is to be done at the end of the process; whether that went well.
///
/// What is registered last is called first, and the library registers as well: the
/// ends of values that it makes when it first needs them. A network thread that still
/// runs when those are gone crashes (seen with 7.3.79). So it is registered again when
/// the library may have made some since: before its first use, the second, the fourth
/// and so on, and when a store was closed. Only the first call does something.
fn register() -> bool {
    // SAFETY: the function takes nothing and unwinds never.
    unsafe { libc::atexit(stop_at_exit) == 0 }
}

/// The library is about to be used.
pub(super) fn used() {
    let before = USES.fetch_add(1, Ordering::Relaxed);
    if before.wrapping_add(1).is_power_of_two() {
        register();
    }
}

/// A store is closed.
pub(super) fn closed() {
    if CLOSINGS.fetch_add(1, Ordering::Relaxed) < CLOSINGS_MAX {
        register();
    }
}

/// Stops the network, and waits for its thread: after that the library's own end may
/// come. Not in a process that was forked since, which has no such thread.
extern "C" fn stop_at_exit() {
    if PROCESS.load(Ordering::Acquire) != std::process::id() {
        return;
    }
    let (thread, stop) = match &mut *network() {
        Network::Running(running) => (running.thread.take(), running.stop.take()),
        _ => return,
    };
    // Whatever goes wrong, nobody is left to be told.
    if let (Some(thread), Some(stop)) = (thread, stop)
        && stop.stop().is_ok()
    {
        let _ = thread.join();
    }
}
