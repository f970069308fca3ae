use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::thread;

use hozo_traits::exec::block_on;

use super::Signal;

#[test]
fn nobody_misses_what_is_told() {
    let signal = Arc::new(Signal::default());
    let number = Arc::new(AtomicU32::new(0));
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let (signal, number) = (Arc::clone(&signal), Arc::clone(&number));
            thread::spawn(move || {
                for wanted in 1..=1000 {
                    let reached = || number.load(Ordering::Relaxed) >= wanted;
                    block_on(signal.until(|| reached().then_some(())));
                }
            })
        })
        .collect();
    for n in 1..=1000 {
        number.store(n, Ordering::Relaxed);
        signal.tell();
    }
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    assert_eq!(signal.waiting.load(Ordering::Relaxed), 0);
}

#[test]
fn who_is_polled_again_and_again_waits_once() {
    let signal = Signal::default();
    let context = &mut Context::from_waker(Waker::noop());
    let mut waiting = pin!(signal.until(|| None::<()>));
    for _ in 0..100 {
        assert!(waiting.as_mut().poll(context).is_pending());
        // Another, which is given up.
        assert!(pin!(signal.until(|| None::<()>)).poll(context).is_pending());
    }
    assert_eq!(signal.wakers.lock().all.len(), 1);
    signal.tell();
    assert_eq!(signal.wakers.lock().all.len(), 0);
}
