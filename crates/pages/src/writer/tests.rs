use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

/// Nobody waits so long unless a wake-up was lost.
const LONG: Duration = Duration::from_secs(60);

fn queue() -> Arc<WriterQueue> {
    WriterQueue::new(NamespaceId(1))
}

fn waiting(queue: &WriterQueue) -> usize {
    queue.lock().waiting.len()
}

#[test]
fn one_holder_at_a_time() {
    let queue = queue();
    let slot = queue.try_take().expect("it is free");
    assert!(queue.try_take().is_none());
    let ticket = queue.ticket().wait(Duration::ZERO).expect_err("it is taken");
    drop(ticket);
    slot.release();
    let again = queue.try_take().expect("it is free again");
    assert!(again.fencing_token() > 1);
}

#[test]
fn a_slot_goes_to_who_waits_longest() {
    let queue = queue();
    let slot = queue.try_take().expect("it is free");
    let tickets: Vec<_> = (0..20).map(|_| queue.ticket()).collect();
    let (order, served) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        // The threads start in the opposite order: only the tickets count.
        for (i, ticket) in tickets.into_iter().enumerate().rev() {
            let order = order.clone();
            scope.spawn(move || {
                let slot = ticket.wait(LONG).expect("everybody releases");
                order.send((i, slot.fencing_token())).expect("the test listens");
            });
        }
        slot.release();
    });
    drop(order);
    let served: Vec<_> = served.iter().collect();
    assert!(served.is_sorted(), "{served:?}");
    assert_eq!(served.len(), 20);
}

#[test]
fn nobody_overtakes_who_waits() {
    let queue = queue();
    let first = queue.try_take().expect("it is free");
    let ticket = queue.ticket();
    first.release();
    // The slot is the ticket's already, although nobody waits on it just now.
    assert!(queue.try_take().is_none());
    let late = queue.ticket().wait(Duration::ZERO).expect_err("it is not free");
    let slot = ticket.wait(Duration::ZERO).expect("it was granted");
    slot.release();
    drop(late.wait(Duration::ZERO).expect("it is the next"));
}

#[test]
fn who_gives_up_leaves_the_queue() {
    let queue = queue();
    let slot = queue.try_take().expect("it is free");
    let (first, second, third) = (queue.ticket(), queue.ticket(), queue.ticket());
    drop(second);
    assert_eq!(waiting(&queue), 2);
    slot.release();
    // A granted ticket that is dropped passes the slot on.
    drop(first);
    assert_eq!(waiting(&queue), 0);
    drop(third.wait(Duration::ZERO).expect("it is its turn"));
    drop(queue.try_take().expect("it is free again"));
}

#[test]
fn a_panic_of_the_holder_releases() {
    let queue = queue();
    let ticket = thread::scope(|scope| {
        let slot = queue.try_take().expect("it is free");
        let ticket = queue.ticket();
        let holder = scope.spawn(move || {
            let _slot = slot;
            panic!("on purpose: the holder of a slot panics");
        });
        holder.join().expect_err("it panicked");
        ticket
    });
    drop(ticket.wait(LONG).expect("the slot was passed on"));
    let broken = catch_unwind(AssertUnwindSafe(|| {
        let _slot = queue.try_take().expect("it is free");
        panic!("on purpose: the only user of a slot panics");
    }));
    broken.expect_err("it panicked");
    drop(queue.try_take().expect("it is free after a panic"));
}

#[test]
fn an_endless_timeout_is_one() {
    let queue = queue();
    let slot = queue.try_take().expect("it is free");
    thread::scope(|scope| {
        let ticket = queue.ticket();
        let waiter = scope.spawn(move || ticket.wait(Duration::MAX).map(|_| ()));
        slot.release();
        waiter.join().expect("it does not panic").expect("it gets the slot");
    });
}

/// Many threads, some of which give up at once, after moments, or never: at no
/// time two inside, the tokens ascend, and nobody is forgotten.
#[test]
fn no_wake_up_is_lost_and_nobody_shares() {
    const THREADS: u64 = 16;
    const ROUNDS: u64 = 300;
    let queue = queue();
    let inside = AtomicBool::new(false);
    let newest = AtomicU64::new(0);
    let (served, gave_up) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (queue, inside, newest) = (&queue, &inside, &newest);
            let (served, gave_up) = (&served, &gave_up);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let slot = match (number + round) % 4 {
                        0 => queue.try_take(),
                        1 => queue.ticket().wait(Duration::from_micros(number * 20)).ok(),
                        _ => Some(queue.ticket().wait(LONG).expect("a wake-up was lost")),
                    };
                    let Some(slot) = slot else {
                        gave_up.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    assert!(!inside.swap(true, Ordering::SeqCst), "two hold the slot");
                    let token = slot.fencing_token();
                    assert!(newest.swap(token, Ordering::SeqCst) < token, "tokens go back");
                    thread::yield_now();
                    inside.store(false, Ordering::SeqCst);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(served.into_inner() + gave_up.into_inner(), THREADS * ROUNDS);
    assert_eq!(waiting(&queue), 0);
    drop(queue.try_take().expect("the last one released"));
}
