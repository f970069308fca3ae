//! Histories written by hand, one for each anomaly.

use crate::checker::{
    Anomaly, History, Op, Outcome, Recorder, Txn, Violation, check, check_strict,
};

use Op::{Append, Read};
use Outcome::{Aborted, Committed, Unknown};

/// Transactions that all overlap.
fn history(txns: &[(Outcome, &[Op])]) -> History {
    let txn = |(i, (outcome, ops)): (usize, &(Outcome, &[Op]))| Txn {
        process: i as u32,
        start: 0,
        end: 100,
        ops: ops.to_vec(),
        outcome: *outcome,
    };
    History { txns: txns.iter().enumerate().map(txn).collect() }
}

/// The same, one after the other.
fn in_turn(txns: &[(Outcome, &[Op])]) -> History {
    let mut history = history(txns);
    for (i, txn) in history.txns.iter_mut().enumerate() {
        (txn.start, txn.end) = (10 * i as u64, 10 * i as u64 + 5);
    }
    history
}

#[track_caller]
fn expect(anomaly: Anomaly, result: Result<crate::checker::Report, Violation>) {
    match result {
        Ok(report) => panic!("not seen: {anomaly:?}; {report:?}"),
        Err(violation) => assert_eq!(violation.anomaly, anomaly, "{violation}"),
    }
}

fn read(key: u64, list: &[u64]) -> Op {
    Read(key, list.to_vec())
}

#[test]
fn serial_histories_are_right() {
    let serial = in_turn(&[
        (Committed, &[read(1, &[]), Append(1, 1), read(1, &[1])]),
        (Committed, &[read(1, &[1])]),
        (Committed, &[read(1, &[1]), Append(1, 2), Append(2, 1)]),
        (Aborted, &[read(1, &[1, 2]), Append(1, 3), read(1, &[1, 2, 3])]),
        (Unknown, &[read(2, &[1]), Append(2, 2)]),
        (Unknown, &[read(2, &[1]), Append(2, 3)]),
        (Committed, &[read(1, &[1, 2]), read(2, &[1, 3])]),
    ]);
    let report = check_strict(&serial).expect("nothing is wrong");
    assert_eq!((report.committed, report.aborted, report.unknown), (4, 1, 2));
    assert!(report.ww > 0 && report.wr > 0 && report.rw > 0 && report.real_time > 0);
    check(&History::default()).expect("nothing happened");
}

#[test]
fn overlapping_but_serializable_is_right() {
    let report = check_strict(&history(&[
        (Committed, &[read(1, &[]), Append(2, 1)]),
        (Committed, &[read(2, &[1]), Append(1, 1)]),
        (Committed, &[read(1, &[1]), read(2, &[1])]),
    ]));
    assert_eq!(report.expect("there is an order").contended, 3);
}

#[test]
fn malformed() {
    expect(
        Anomaly::Malformed,
        check(&history(&[(Committed, &[Append(1, 1)]), (Aborted, &[Append(1, 1)])])),
    );
}

#[test]
fn internal() {
    let own_is_missing: &[Op] = &[Append(1, 1), read(1, &[])];
    expect(Anomaly::Internal, check(&history(&[(Committed, own_is_missing)])));
    let moved: &[Op] = &[read(1, &[]), read(1, &[1])];
    expect(Anomaly::Internal, check(&history(&[(Committed, &[Append(1, 1)]), (Committed, moved)])));
}

#[test]
fn garbage_and_duplicates() {
    expect(Anomaly::Garbage, check(&history(&[(Committed, &[read(1, &[7])])])));
    let twice = history(&[(Committed, &[Append(1, 1)]), (Committed, &[read(1, &[1, 1])])]);
    expect(Anomaly::Duplicate, check(&twice));
}

#[test]
fn g1a_aborted_read() {
    for reader in [Committed, Aborted] {
        let dirty = history(&[(Aborted, &[Append(1, 1)]), (reader, &[read(1, &[1])])]);
        expect(Anomaly::G1a, check(&dirty));
    }
}

#[test]
fn g1b_intermediate_read() {
    let half =
        history(&[(Committed, &[Append(1, 1), Append(1, 2)]), (Committed, &[read(1, &[1])])]);
    expect(Anomaly::G1b, check(&half));
}

#[test]
fn incompatible_order() {
    let forked = history(&[
        (Committed, &[Append(1, 1)]),
        (Committed, &[Append(1, 2)]),
        (Committed, &[read(1, &[1])]),
        (Committed, &[read(1, &[2])]),
    ]);
    expect(Anomaly::IncompatibleOrder, check(&forked));
}

#[test]
fn g0_write_cycle() {
    let interleaved = history(&[
        (Committed, &[Append(1, 1), Append(2, 1)]),
        (Committed, &[Append(1, 2), Append(2, 2)]),
        (Committed, &[read(1, &[1, 2]), read(2, &[2, 1])]),
    ]);
    expect(Anomaly::G0, check(&interleaved));
}

#[test]
fn g1c_circular_information() {
    let circle = history(&[
        (Committed, &[Append(1, 1), read(2, &[1])]),
        (Committed, &[Append(2, 1), read(1, &[1])]),
    ]);
    expect(Anomaly::G1c, check(&circle));
}

#[test]
fn g_single_lost_update() {
    // Both read the empty list; what the first wrote is overwritten.
    let lost = history(&[
        (Committed, &[read(1, &[]), Append(1, 1)]),
        (Committed, &[read(1, &[]), Append(1, 2)]),
        (Committed, &[read(1, &[2])]),
    ]);
    expect(Anomaly::GSingle, check(&lost));
    let kept_both = history(&[
        (Committed, &[read(1, &[]), Append(1, 1)]),
        (Committed, &[read(1, &[]), Append(1, 2)]),
        (Committed, &[read(1, &[1, 2])]),
    ]);
    expect(Anomaly::GSingle, check(&kept_both));
}

#[test]
fn g_single_fractured_read() {
    let fractured = history(&[
        (Committed, &[Append(1, 1), Append(2, 1)]),
        (Committed, &[read(1, &[1]), read(2, &[])]),
    ]);
    expect(Anomaly::GSingle, check(&fractured));
}

#[test]
fn g2_write_skew() {
    let skew = history(&[
        (Committed, &[read(1, &[]), Append(2, 1)]),
        (Committed, &[read(2, &[]), Append(1, 1)]),
        (Committed, &[read(1, &[1]), read(2, &[1])]),
    ]);
    expect(Anomaly::G2, check(&skew));
    // Nobody need ever have read the end.
    let unread = history(&[
        (Committed, &[read(1, &[]), Append(2, 1)]),
        (Committed, &[read(2, &[]), Append(1, 1)]),
    ]);
    expect(Anomaly::G2, check(&unread));
}

#[test]
fn the_past_is_serializable_but_not_strictly() {
    let stale = in_turn(&[(Committed, &[Append(1, 1)]), (Committed, &[read(1, &[])])]);
    check(&stale).expect("the read may come first");
    expect(Anomaly::GSingle, check_strict(&stale));
}

#[test]
fn a_commit_that_vanished() {
    let vanished = in_turn(&[
        (Committed, &[read(1, &[]), Append(1, 1)]),
        (Committed, &[read(1, &[]), Append(1, 2)]),
        (Committed, &[read(1, &[2])]),
    ]);
    // The value that stayed comes before the one that nobody found, and after it.
    expect(Anomaly::G0, check_strict(&vanished));
}

#[test]
fn an_unknown_transaction_may_take_effect_late_or_never() {
    let never = in_turn(&[(Unknown, &[Append(1, 1)]), (Committed, &[read(1, &[])])]);
    check_strict(&never).expect("it was not committed");
    let mut late = in_turn(&[
        (Unknown, &[Append(1, 1)]),
        (Committed, &[read(1, &[])]),
        (Committed, &[read(1, &[1])]),
    ]);
    late.txns[0].end = u64::MAX;
    check_strict(&late).expect("it was committed between the reads");
}

#[test]
fn long_cycles_are_seen_in_large_histories() {
    // Write skew around a ring of a hundred, among a thousand bystanders.
    let n = 100;
    let ring = (0..n).map(|i| vec![read(i, &[]), Append((i + 1) % n, 1)]);
    let others = (1000..2000).map(|i| vec![read(i, &[]), Append(i, 1), Append(5000, i)]);
    let all: Vec<Vec<Op>> = ring.chain(others).collect();
    let txns: Vec<(Outcome, &[Op])> = all.iter().map(|ops| (Committed, ops.as_slice())).collect();
    expect(Anomaly::G2, check(&history(&txns)));
    check(&history(&txns[1..])).expect("a ring with a gap is a line");
}

#[test]
fn the_recorder_orders_what_it_is_told() {
    let recorder = Recorder::new();
    let mut first = recorder.begin(1);
    first.read(1, []);
    first.append(1, 1);
    let second = recorder.begin(2);
    first.end(Committed);
    second.end(Unknown);
    let dropped = recorder.begin(3);
    drop(dropped);
    let txns = recorder.into_history().txns;
    assert_eq!(txns.len(), 2);
    assert_eq!((txns[0].start, txns[0].end, txns[0].process), (0, 2, 1));
    assert_eq!((txns[1].start, txns[1].end), (1, u64::MAX));
}
