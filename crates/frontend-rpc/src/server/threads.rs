//! The threads that serve. How connections come to them is decided here and
//! nowhere else.
//!
//! Each thread has a runtime of its own, and a connection stays with the thread
//! that it was dealt to: to answer a request no other thread is woken, which
//! would cost as much as the answer. So nothing that takes long is done on these
//! threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

/// The threads that serve. They end with this value, without waiting for what
/// they do.
pub(super) struct Threads {
    handles: Arc<[Handle]>,
    threads: Vec<JoinHandle<()>>,
    /// Tells them to end, and how long to wait for what cannot be broken off.
    end: watch::Sender<Duration>,
}

/// Gives connections to the threads, in turn.
#[derive(Clone)]
pub(super) struct Dealer {
    handles: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
}

impl Threads {
    /// Starts as many, at least one.
    pub(super) fn start(count: usize) -> Result<Self> {
        let started = || {
            let (end, _) = watch::channel(Duration::ZERO);
            let (mut handles, mut threads) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let runtime = runtime()?;
                handles.push(runtime.handle().clone());
                threads.push(run(runtime, end.subscribe())?);
            }
            Ok(Threads { handles: handles.into(), threads, end })
        };
        started().map_err(|e: io::Error| {
            Error::new(ErrorKind::Unavailable, "the service's threads cannot be started")
                .with("threads", count)
                .caused_by(e)
        })
    }

    /// One of them, for what is not a connection.
    pub(super) fn handle(&self) -> &Handle {
        &self.handles[0]
    }

    pub(super) fn dealer(&self) -> Dealer {
        Dealer { handles: Arc::clone(&self.handles), next: Arc::default() }
    }

    /// Breaks off what still runs, and waits so long for what cannot be broken off.
    pub(super) fn end(mut self, within: Duration) {
        self.finish(within);
    }

    fn finish(&mut self, within: Duration) {
        self.end.send_replace(within);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the service ended by a defect");
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.finish(Duration::ZERO);
    }
}

fn runtime() -> io::Result<Runtime> {
    // The name is that of threads for work that may block.
    Builder::new_current_thread().thread_name("hozo-rpc-long").enable_io().enable_time().build()
}

fn run(runtime: Runtime, mut end: watch::Receiver<Duration>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("hozo-rpc".into()).spawn(move || {
        // An error is that nobody is left who could say it.
        let _ = runtime.block_on(end.changed());
        let within = *end.borrow();
        runtime.shutdown_timeout(within);
    })
}

impl Dealer {
    /// Serves a connection on the next thread; it is made there, since its socket
    /// belongs to one runtime.
    pub(super) fn deal<F>(&self, connection: impl FnOnce() -> io::Result<F> + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.handles[next].spawn(async move {
            match connection() {
                Ok(connection) => connection.await,
                Err(error) => tracing::warn!(%error, "a connection was lost as it came"),
            }
        });
    }
}
