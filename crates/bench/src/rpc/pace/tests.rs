use std::time::Duration;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn window() -> Window {
    Window { start: 5 * SECOND, measured: 6 * SECOND, end: 7 * SECOND }
}

#[test]
fn connections_share_a_rate_evenly() {
    let schedules: Vec<Schedule> =
        (0..4).map(|connection| Schedule::new(window(), Some(100.0), connection, 4)).collect();
    let mut arrivals = Vec::new();
    for schedule in &schedules {
        while let Next::At(at) = schedule.next(5 * SECOND) {
            arrivals.push(at);
        }
    }
    arrivals.sort_unstable();
    // Two seconds of a hundred, each 10 ms after the one before.
    let wanted: Vec<u64> = (0..200).map(|number| 5 * SECOND + number * SECOND / 100).collect();
    assert_eq!(arrivals, wanted);
}

#[test]
fn what_nobody_took_is_known_and_only_of_the_measured_time() {
    let schedule = Schedule::new(window(), Some(10.0), 0, 1);
    assert_eq!(schedule.untaken().count(), 10, "those of the warm-up do not count");
    for _ in 0..13 {
        assert!(matches!(schedule.next(5 * SECOND), Next::At(_)));
    }
    let wanted: Vec<u64> = (3..10).map(|number| 6 * SECOND + number * SECOND / 10).collect();
    assert_eq!(schedule.untaken().collect::<Vec<_>>(), wanted);
    assert_eq!(schedule.next(7 * SECOND), Next::Never, "it is over, whatever is left");
}

#[test]
fn a_closed_loop_goes_on_until_the_end() {
    let schedule = Schedule::new(window(), None, 0, 1);
    assert_eq!(schedule.next(7 * SECOND - 1), Next::Now);
    assert_eq!(schedule.next(7 * SECOND), Next::Never);
    assert_eq!(schedule.untaken().count(), 0);
}

#[test]
fn who_waits_is_woken_in_order_and_never_early() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let timer = Timer::new(Arc::new(SystemClock::new())).unwrap();
        let pulse = Rc::clone(&timer);
        tokio::task::spawn_local(async move { pulse.run().await });
        let woken = Rc::new(RefCell::new(Vec::new()));
        let from = timer.now();
        let tasks: Vec<_> = [3u64, 1, 2, 1, 0]
            .map(|millis| {
                let (timer, woken) = (Rc::clone(&timer), Rc::clone(&woken));
                tokio::task::spawn_local(async move {
                    let at = from + millis * 1_000_000;
                    timer.until(at).await;
                    assert!(timer.now() >= at);
                    woken.borrow_mut().push(millis);
                })
            })
            .into();
        for task in tasks {
            tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        }
        assert_eq!(*woken.borrow(), [0, 1, 1, 2, 3]);
        assert!(timer.waiting.borrow().is_empty());
    });
}
