use super::*;

const NEVER: Duration = Duration::from_millis(2);

#[test]
fn who_passes_waits_for_those_who_were_there() {
    let inflight = Inflight::default();
    assert!(inflight.pass(NEVER));
    let entered = inflight.enter();
    assert!(!inflight.pass(NEVER));
    drop(entered);
    assert!(inflight.pass(NEVER));
}

#[test]
fn who_is_there_for_several_passes_is_waited_for_by_each() {
    let inflight = Inflight::default();
    let entered = inflight.enter();
    for _ in 0..5 {
        assert!(!inflight.pass(NEVER));
    }
    let other = inflight.enter();
    drop(entered);
    assert!(!inflight.pass(NEVER));
    drop(other);
    assert!(inflight.pass(NEVER));
}

#[test]
fn nobody_waits_for_those_who_come_later() {
    let inflight = Inflight::default();
    let first = inflight.enter();
    thread::scope(|scope| {
        let passes = scope.spawn(|| inflight.pass(Duration::from_secs(60)));
        while inflight.turn.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        let _later = inflight.enter();
        drop(first);
        assert!(passes.join().unwrap());
    });
}
