//! KV-4 to KV-9: what a change sees, and what becomes of its effects.

use hozo_traits::exec::block_on;
use hozo_traits::{
    Effect, Error, ErrorKind, KvStore, KvStoreExt, Present, PresentValue, Selection,
};

use crate::records::kit::{Kit, NOW, all, b, is, removed, set};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(4, the_selected_in_order_with_repeats),
    case!(4, values_only_if_asked_for),
    case!(4, the_first_of_nothing_is_nothing),
    case!(4, the_first_is_the_first_of_a_scan),
    case!(6, effects_are_made_in_their_order),
    case!(6, effects_are_answered),
    case!(6, effects_of_one_update_over_many_keys),
    case!(7, an_effect_on_another_key_is_invalid),
    case!(7, a_clear_that_is_not_alone_is_invalid),
    case!(7, an_effect_beside_the_first_is_invalid),
    case!(8, the_error_of_a_change_is_answered),
    case!(8, no_effects_write_nothing),
    case!(8, a_remove_of_nothing_changes_nothing),
    case!(9, clear_removes_everything),
    case!(9, clear_with_a_selection_removes_everything),
    case!(9, records_after_a_clear_are_there),
];

fn present(key: &str, value: PresentValue) -> Present {
    Present { key: b(key), value }
}

fn the_selected_in_order_with_repeats(kit: &Kit) {
    kit.put("a", "1");
    kit.put("b", "");
    let keys = ["b", "x", "a", "b", ""].map(b);
    let seen = kit.update(&keys, true, &[]).expect("answered");
    let absent = PresentValue::Absent;
    let expected = [
        present("b", is("")),
        present("x", absent.clone()),
        present("a", is("1")),
        present("b", is("")),
        present("", absent),
    ];
    assert_eq!(seen, expected);
    assert_eq!(kit.update(&[], true, &[]).expect("answered"), []);
}

fn values_only_if_asked_for(kit: &Kit) {
    kit.put("a", "1");
    let seen = kit.update(&["a", "x"].map(b), false, &[]).expect("answered");
    assert_eq!(seen, [present("a", PresentValue::Unread), present("x", PresentValue::Absent)]);
}

fn first(dbm: &dyn KvStore, effects: &[Effect]) -> Result<Vec<Present>, Error> {
    let mut seen = Vec::new();
    block_on(dbm.update(Selection::First, NOW, &mut |found| {
        seen = found.to_vec();
        Ok(effects.to_vec())
    }))?;
    Ok(seen)
}

fn the_first_of_nothing_is_nothing(kit: &Kit) {
    assert_eq!(first(&*kit.dbm(), &[]).expect("answered"), []);
    kit.put("a", "1");
    kit.update(&[b("a")], true, &[removed("a")]).expect("removed");
    assert_eq!(first(&*kit.dbm(), &[]).expect("answered"), []);
    first(&*kit.dbm(), &[Effect::Clear]).expect("a clear of nothing");
    first(&*kit.dbm(), &[removed("a")]).expect_err("nothing was selected");
}

fn the_first_is_the_first_of_a_scan(kit: &Kit) {
    for n in 0..40u8 {
        kit.put([n.wrapping_mul(37)], [n]);
    }
    for n in 0..40u8 {
        let scanned = kit.scan(hozo_traits::KvScan { limit: 1, ..all() }).records.remove(0);
        let seen = first(&*kit.dbm(), &[]).expect("answered");
        assert_eq!(seen, [Present { key: scanned.0.clone(), value: is(&scanned.1) }]);
        if n % 2 == 0 {
            first(&*kit.dbm(), &[removed(&scanned.0)]).expect("removed");
        } else {
            first(&*kit.dbm(), &[set(&scanned.0, "again")]).expect("set");
            assert_eq!(kit.get(&scanned.0).as_deref(), Some(&b"again"[..]));
        }
    }
    assert_eq!(kit.count(), 20);
}

fn effects_are_made_in_their_order(kit: &Kit) {
    let keys = [b("k"), b("l")];
    kit.update(&keys, false, &[set("k", "1"), removed("k"), set("k", "2"), set("k", "3")])
        .expect("made");
    assert_eq!((kit.get("k"), kit.count()), (Some(b("3")), 1));
    kit.update(&keys, false, &[set("k", "4"), set("l", "5"), removed("k"), removed("k")])
        .expect("made");
    assert_eq!((kit.get("k"), kit.get("l"), kit.count()), (None, Some(b("5")), 1));
    kit.update(&keys, false, &[removed("l"), set("l", ""), removed("k"), set("k", "6")])
        .expect("made");
    assert_eq!(kit.contents(), [(b("k"), b("6")), (b("l"), b(""))]);
    assert_eq!(kit.count(), 2);
}

fn effects_are_answered(kit: &Kit) {
    let effects = [set("a", "1"), removed("b"), set("a", "2")];
    kit.update(&["a", "b"].map(b), false, &effects).expect("made, and compared");
    kit.update(&[], false, &[Effect::Clear]).expect("made, and compared");
}

fn effects_of_one_update_over_many_keys(kit: &Kit) {
    let keys: Vec<_> = (0..500u32).map(|n| b(n.to_be_bytes())).collect();
    let sets: Vec<_> = keys.iter().map(|key| set(key, [&key[..], b"v"].concat())).collect();
    kit.update(&keys, false, &sets).expect("made");
    assert_eq!(kit.count(), 500);
    let removes: Vec<_> = keys.iter().step_by(2).map(removed).collect();
    kit.update(&keys, true, &removes).expect("made");
    let left: Vec<_> = keys.iter().skip(1).step_by(2).collect();
    assert!(kit.contents().iter().map(|(key, _)| key).eq(left));
    assert_eq!(kit.count(), 250);
}

fn an_effect_on_another_key_is_invalid(kit: &Kit) {
    kit.put("a", "1");
    kit.put("c", "3");
    for effect in [set("b", "2"), removed("c"), set("", "")] {
        kit.refused(&[b("a")], &[set("a", "2"), effect.clone()], ErrorKind::Invalid);
        kit.refused(&[], &[effect], ErrorKind::Invalid);
    }
}

fn a_clear_that_is_not_alone_is_invalid(kit: &Kit) {
    kit.put("a", "1");
    let keys = [b("a")];
    kit.refused(&keys, &[Effect::Clear, set("a", "2")], ErrorKind::Invalid);
    kit.refused(&keys, &[removed("a"), Effect::Clear], ErrorKind::Invalid);
    kit.refused(&[], &[Effect::Clear, Effect::Clear], ErrorKind::Invalid);
}

fn an_effect_beside_the_first_is_invalid(kit: &Kit) {
    kit.put("a", "1");
    kit.put("b", "1");
    let other = if first(&*kit.dbm(), &[]).expect("answered")[0].key == "a" { "b" } else { "a" };
    let error = first(&*kit.dbm(), &[removed(other)]).expect_err("not selected");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(kit.count(), 2);
}

fn the_error_of_a_change_is_answered(kit: &Kit) {
    kit.put("a", "1");
    for kind in [ErrorKind::Denied, ErrorKind::Conflict, ErrorKind::NotFound] {
        let keys = [b("a"), b("b")];
        let selection = Selection::Keys { keys: &keys, values: true };
        let refuse = &mut |_: &[Present]| Err(Error::new(kind, "by the change").with("n", 7));
        let error = block_on(kit.dbm().update(selection, NOW, refuse)).expect_err("refused");
        assert_eq!((error.kind(), error.message()), (kind, "by the change"));
        assert_eq!(error.context().first().map(|(about, _)| *about), Some("n"));
    }
    assert_eq!((kit.get("a"), kit.count()), (Some(b("1")), 1));
    // It goes on afterwards.
    kit.put("a", "2");
    assert_eq!(kit.get("a"), Some(b("2")));
}

fn no_effects_write_nothing(kit: &Kit) {
    kit.put("a", "1");
    let before = kit.contents();
    kit.update(&["a", "b"].map(b), true, &[]).expect("answered");
    let durable = hozo_traits::Durability::Durable;
    let keys = [b("a")];
    let selection = Selection::Keys { keys: &keys, values: true };
    let answered = block_on(kit.dbm().update(selection, durable, &mut |_| Ok(Vec::new())));
    assert_eq!(answered.expect("answered"), []);
    assert_eq!((kit.contents(), kit.count()), (before, 1));
}

fn a_remove_of_nothing_changes_nothing(kit: &Kit) {
    kit.put("a", "1");
    kit.update(&[b("b")], false, &[removed("b")]).expect("made");
    kit.update(&[b("b")], false, &[removed("b"), removed("b")]).expect("made");
    assert_eq!((kit.contents(), kit.count()), (vec![(b("a"), b("1"))], 1));
}

fn fill(kit: &Kit) {
    for n in 0..50u8 {
        kit.put([n], vec![n; 30]);
    }
    kit.put("large", vec![1; kit.capabilities().value_bytes_max.min(300_000)]);
}

fn is_empty(kit: &Kit) {
    assert_eq!((kit.contents(), kit.count()), (Vec::new(), 0));
    assert_eq!((kit.get([7]), kit.get("large")), (None, None));
}

fn clear_removes_everything(kit: &Kit) {
    block_on(kit.dbm().clear(NOW)).expect("cleared");
    fill(kit);
    block_on(kit.dbm().clear(NOW)).expect("cleared");
    is_empty(kit);
}

fn clear_with_a_selection_removes_everything(kit: &Kit) {
    fill(kit);
    kit.update(&[b("x"), b([3])], true, &[Effect::Clear]).expect("cleared");
    is_empty(kit);
    fill(kit);
    first(&*kit.dbm(), &[Effect::Clear]).expect("cleared");
    is_empty(kit);
}

fn records_after_a_clear_are_there(kit: &Kit) {
    fill(kit);
    block_on(kit.dbm().clear(NOW)).expect("cleared");
    kit.put([7], "new");
    kit.put("large", vec![2; kit.capabilities().value_bytes_max.min(200_000)]);
    assert_eq!((kit.get([7]), kit.get([8]), kit.count()), (Some(b("new")), None, 2));
    kit.update(&[b([7])], false, &[removed([7])]).expect("removed");
    assert_eq!(kit.count(), 1);
}
