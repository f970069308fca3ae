//! KV-10: what is too large.

use hozo_traits::{Effect, ErrorKind};

use crate::records::kit::{Kit, b, set};
use crate::records::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(10, the_longest_key_and_value_fit),
    case!(10, a_longer_key_is_too_large),
    case!(10, a_longer_value_is_too_large),
    case!(10, the_largest_update_fits),
    case!(10, a_larger_update_is_too_large),
    case!(10, values_of_every_size),
];

/// A limit above this is not tried.
const TRIED_MAX: usize = 48 << 20;

fn tried(limit: usize) -> Option<usize> {
    (limit <= TRIED_MAX).then_some(limit)
}

fn the_longest_key_and_value_fit(kit: &Kit) {
    let limits = kit.capabilities();
    assert!(limits.key_bytes_max >= 1024 && limits.value_bytes_max >= 64 << 10, "{limits:?}");
    let key = vec![b'k'; limits.key_bytes_max.min(TRIED_MAX)];
    let value = vec![b'v'; limits.value_bytes_max.min(TRIED_MAX)];
    kit.put(&key, &value);
    assert!(kit.get(&key).is_some_and(|found| found == value));
    assert!(kit.contents() == [(b(&key), b(&value))]);
    kit.put(&key, "small");
    assert_eq!((kit.get(&key), kit.count()), (Some(b("small")), 1));
}

fn a_longer_key_is_too_large(kit: &Kit) {
    kit.put("a", "1");
    let Some(limit) = tried(kit.capabilities().key_bytes_max) else { return };
    let key = b(vec![b'k'; limit + 1]);
    kit.refused(&[key.clone(), b("a")], &[set("a", "2"), set(&key, "v")], ErrorKind::TooLarge);
    // Reading it is all right, or too large; it is not there.
    if let Ok(found) = hozo_traits::exec::block_on(kit.dbm().get_many(&[key])) {
        assert_eq!(found, [None]);
    }
}

fn a_longer_value_is_too_large(kit: &Kit) {
    kit.put("a", "1");
    let Some(limit) = tried(kit.capabilities().value_bytes_max) else { return };
    let effects = [set("b", "2"), set("a", vec![b'v'; limit + 1])];
    kit.refused(&[b("a"), b("b")], &effects, ErrorKind::TooLarge);
}

/// Sets that come to just `bytes`: many small ones, then as large as may be.
fn sets(kit: &Kit, bytes: usize) -> Vec<Effect> {
    const OVERHEAD: usize = Effect::OVERHEAD_BYTES + 4;
    let value_bytes_max = kit.capabilities().value_bytes_max;
    let mut effects = Vec::new();
    let mut left = bytes;
    for n in 0u32.. {
        let mut value = if n < 1000 { 10 } else { value_bytes_max.min(left - OVERHEAD) };
        // What is left must have room for another, or be nothing.
        let after = left - OVERHEAD - value;
        if (1..=OVERHEAD).contains(&after) {
            value -= 2 * OVERHEAD;
        }
        left -= OVERHEAD + value;
        effects.push(set(n.to_be_bytes(), vec![n as u8; value]));
        if left == 0 {
            break;
        }
    }
    assert_eq!(effects.iter().map(Effect::bytes).sum::<usize>(), bytes);
    effects
}

fn keys(effects: &[Effect]) -> Vec<bytes::Bytes> {
    let key = |effect: &Effect| match effect {
        Effect::Set { key, .. } | Effect::Remove { key } => key.clone(),
        Effect::Clear => b(""),
    };
    effects.iter().map(key).collect()
}

fn the_largest_update_fits(kit: &Kit) {
    let Some(limit) = tried(kit.capabilities().update_bytes_max) else { return };
    let effects = sets(kit, limit);
    kit.update(&keys(&effects), false, &effects).expect("it fits");
    assert_eq!(kit.count(), effects.len() as u64);
    // Again, over what is there.
    kit.update(&keys(&effects), false, &effects).expect("it fits again");
    let found = kit.contents();
    let pairs = effects.iter().map(|effect| match effect {
        Effect::Set { key, value } => (key.clone(), value.clone()),
        _ => unreachable!("sets only"),
    });
    assert!(found.into_iter().eq(pairs), "every record is as it was set");
}

fn a_larger_update_is_too_large(kit: &Kit) {
    kit.put("a", "1");
    let Some(limit) = tried(kit.capabilities().update_bytes_max) else { return };
    let mut effects = sets(kit, limit);
    effects.push(set("more", vec![0; 200]));
    kit.refused(&keys(&effects), &effects, ErrorKind::TooLarge);
}

fn values_of_every_size(kit: &Kit) {
    let edges = [0, 1, 100, 4095, 4096, 65_534, 65_535, 65_536, 65_537, 99_999, 100_000, 1 << 20];
    let sizes = edges.into_iter().flat_map(|edge| [edge, edge + 1, edge * 2]);
    let sizes: Vec<usize> = sizes.filter(|s| *s <= kit.capabilities().value_bytes_max).collect();
    let value = |size: usize, salt: usize| -> Vec<u8> {
        (0..size).map(|i| (i / 256 + i + salt) as u8).collect()
    };
    // Each in a record of its own, and all in the same one after another.
    for (n, size) in sizes.iter().enumerate() {
        kit.put(format!("own {n}"), value(*size, n));
        kit.put("shared", value(*size, n + 1));
        assert!(kit.get("shared").is_some_and(|found| found == value(*size, n + 1)), "{size}");
    }
    for (n, size) in sizes.iter().enumerate().rev() {
        kit.put("shared", value(*size, n));
        assert!(kit.get("shared").is_some_and(|found| found == value(*size, n)), "{size}");
        assert!(kit.get(format!("own {n}")).is_some_and(|v| v == value(*size, n)), "{size}");
    }
    assert_eq!(kit.count(), sizes.len() as u64 + 1);
}
