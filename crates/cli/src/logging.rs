//! Where log lines go: to standard error or to a file, as text or as JSON.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::serve::{LogFormat, LogLevel};
use crate::failure::{Done, Failure};

/// Our own crates, by the beginning of their names.
const OURS: &str = "hozo";

/// Where log lines go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum To {
    Stderr,
    Stdout,
    File(PathBuf),
}

impl To {
    /// What a command line means by a file: standard output and error are files, too.
    pub(crate) fn of(file: Option<&Path>) -> To {
        match file {
            None => To::Stderr,
            Some(file) if file == Path::new("/dev/stderr") => To::Stderr,
            Some(file) if file == Path::new("/dev/stdout") => To::Stdout,
            Some(file) => To::File(file.to_owned()),
        }
    }
}

/// The file of log lines, if there is one.
static FILE: OnceLock<LogFile> = OnceLock::new();

struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(path)
    }
}

/// Writes whole lines to the file.
struct Lines(&'static LogFile);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A write that panicked left nothing half done that matters here.
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs from now on. Of other people's crates only what is at least a warning,
/// unless everything is asked for: at `debug` they tell of every frame.
pub(crate) fn start(format: LogFormat, level: LogLevel, to: To) -> Done {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    let which = Targets::new().with_default(others).with_target(OURS, level);
    let in_file = matches!(to, To::File(_));
    let lines = fmt::layer().with_writer(writer(to)?);
    // Colours are for terminals.
    let lines = if in_file { lines.with_ansi(false) } else { lines };
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // It fails where somebody logs already, which is as good.
    let _ = tracing_subscriber::registry().with(lines.with_filter(which)).try_init();
    Ok(())
}

fn writer(to: To) -> Done<BoxMakeWriter> {
    let path = match to {
        To::Stderr => return Ok(BoxMakeWriter::new(io::stderr)),
        To::Stdout => return Ok(BoxMakeWriter::new(io::stdout)),
        To::File(path) => path,
    };
    let doing = |e: io::Error| Failure::from(e).when(&format!("the log file {}", path.display()));
    // The working directory may be another when it is opened again.
    let path = std::path::absolute(&path).map_err(doing)?;
    let file = Mutex::new(LogFile::open(&path).map_err(doing)?);
    let file = FILE.get_or_init(|| LogFile { path, file });
    Ok(BoxMakeWriter::new(move || Lines(file)))
}

/// Opens the log file again, if there is one: somebody has moved it away.
pub(crate) fn reopen() {
    let Some(log) = FILE.get() else { return };
    match LogFile::open(&log.path) {
        Ok(file) => *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
        Err(error) => {
            tracing::error!(%error, file = %log.path.display(), "the log file cannot be opened again");
        }
    }
}
