//! The client against Hozo's server, and against servers that do what a test
//! tells them.

mod administration;
mod calls;
mod connections;
mod cursors;
mod follow;
mod retries;
mod scripted;
mod served;
mod streams;

use std::future::Future;
use std::time::Duration;

/// Runs a test. A test that hangs fails instead.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let hangs = Duration::from_secs(60);
    runtime.block_on(async { tokio::time::timeout(hangs, test).await.expect("it hangs") })
}

/// Runs a test whose clock goes on by itself when nobody has anything to do but
/// to wait for it.
fn run_paused<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    let hangs = Duration::from_secs(24 * 3600);
    runtime.block_on(async { tokio::time::timeout(hangs, test).await.expect("it hangs") })
}
