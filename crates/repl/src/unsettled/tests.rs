use super::*;

#[test]
fn an_update_that_ends_between_log_and_records_is_to_be_settled() {
    let unsettled = Unsettled::default();
    {
        let mut guard = unsettled.guard();
        guard.begins(100);
        assert!(!guard.is_in_log());
        guard.ends((140, 3));
        assert!(guard.is_in_log());
    }
    assert_eq!(unsettled.from(), Some(100));
    assert_eq!(unsettled.refuse().unwrap_err().kind(), ErrorKind::Busy);
    assert!(!unsettled.settled(99), "there is more");
    assert!(unsettled.settled(100));
    assert_eq!(unsettled.from(), None);
    unsettled.refuse().unwrap();
}

#[test]
fn nothing_is_to_be_settled_otherwise() {
    let unsettled = Unsettled::default();
    drop(unsettled.guard());
    let mut refused = unsettled.guard();
    refused.begins(100);
    drop(refused);
    let mut done = unsettled.guard();
    done.begins(100);
    done.ends((140, 3));
    assert_eq!(done.settled(), Some((140, 3)));
    drop(done);
    assert_eq!(unsettled.from(), None);
}

#[test]
fn the_first_of_several_counts() {
    let unsettled = Unsettled::default();
    for place in [300, 100, 200] {
        let mut guard = unsettled.guard();
        // Tried again, further on.
        guard.begins(place);
        guard.begins(place + 50);
        guard.ends((place + 80, 1));
    }
    assert_eq!(unsettled.from(), Some(100));
    // One more that comes while the log is replayed.
    let mut guard = unsettled.guard();
    guard.begins(50);
    guard.ends((60, 2));
    drop(guard);
    assert!(!unsettled.settled(100));
    assert!(unsettled.settled(50));
}
