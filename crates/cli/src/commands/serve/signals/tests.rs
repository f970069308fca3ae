use super::*;

const NOW: Duration = Duration::ZERO;

#[test]
fn nobody_waits_behind_signals_that_are_not_looked_at() {
    let waiting = Waiting::default();
    // More than any queue would have had room for, and none of it waits.
    (0..1000).for_each(|_| waiting.add(Signal::Reload));
    waiting.add(Signal::Stop);
    waiting.add(Signal::Stop);
    assert_eq!(waiting.next(NOW), Some(Signal::Stop));
    assert_eq!(waiting.next(NOW), Some(Signal::Reload));
    assert_eq!(waiting.next(NOW), None);
}

#[test]
fn who_waits_is_woken() {
    let waiting = Waiting::default();
    thread::scope(|scope| {
        let next = scope.spawn(|| waiting.next(Duration::from_secs(600)));
        waiting.add(Signal::Reload);
        assert_eq!(next.join().unwrap(), Some(Signal::Reload));
    });
}
