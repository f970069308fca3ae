use hozo_traits::{SystemAmbient, Timestamp};

use super::*;

#[test]
fn deadlines_fit_the_header() {
    let header = |within| timeout_header(within).to_str().expect("ASCII").to_owned();
    assert_eq!(header(Duration::ZERO), "1u");
    assert_eq!(header(Duration::from_nanos(1_999)), "1u");
    assert_eq!(header(Duration::from_secs(30)), "30000000u");
    assert_eq!(header(Duration::from_micros(99_999_999)), "99999999u");
    assert_eq!(header(Duration::from_secs(100)), "100000m");
    assert_eq!(header(Duration::from_secs(100_000)), "100000S");
    assert_eq!(header(Duration::MAX), "99999999S");
}

#[test]
fn a_call_that_waits_has_that_much_longer() {
    let deadline = Deadline::new(Duration::from_secs(30), None);
    assert!(deadline.longer(None).is_none());
    assert!(deadline.longer(Some(Duration::ZERO)).is_none());
    let longer = deadline.longer(Some(Duration::from_secs(5))).expect("it waits");
    assert_eq!(longer.within, Duration::from_secs(35));
    assert_eq!(longer.headers[TIMEOUT], "35000000u");
    assert!(longer.headers_without().get(TIMEOUT).is_none());
    let longest = Deadline::new(Duration::MAX, None).longer(Some(Duration::MAX)).expect("it waits");
    assert_eq!(longest.within, DEADLINE_MAX);
}

/// Always the same randomness.
struct Fixed(u8);

impl Ambient for Fixed {
    fn now(&self) -> Timestamp {
        SystemAmbient.now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

#[test]
fn waits_double_up_to_a_bound_and_vary() {
    let millis = |tried, random| backoff(tried, &Fixed(random)).as_millis();
    assert_eq!([0, 1, 2, 3].map(|tried| millis(tried, 0xff)), [50, 100, 200, 400]);
    assert_eq!([0, 1, 2, 3].map(|tried| millis(tried, 0)), [25, 50, 100, 200]);
    assert_eq!(millis(10, 0xff), 2000);
    assert_eq!(millis(u32::MAX, 0xff), 2000);
}
