//! Random operations, and a map that says what each should have answered.

mod batches;
mod iterator;
mod single;

use std::collections::BTreeMap;

use bytes::Bytes;
use hozo_conformance::Rng;

use crate::kit::{Kit, b};

/// What the records should be.
pub(crate) type Model = BTreeMap<Bytes, Bytes>;

/// Operations of a run.
const STEPS: usize = 600;

/// Characters of requests and answers that are shown before the one that is wrong.
const SHOWN_MAX: usize = 4000;

/// One run: operations one after the other, as calls of their own, in streams and
/// by iterators, each answered as by the model.
pub(crate) fn run(kit: &Kit, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut model = Model::new();
    for step in 0..STEPS {
        let done = match rng.below(20) {
            0..8 => single::one(kit, &mut model, &mut rng),
            8..11 => single::streamed(kit, &mut model, &mut rng),
            // Where an iterator of TreeDBM stands beyond the ends is its own affair.
            11..14 if !kit.is_peer => iterator::run(kit, &mut model, &mut rng),
            _ => batches::run(kit, &mut model, &mut rng),
        };
        if let Err(wrong) = done {
            panic!("step {step} of HOZO_SEED={seed}: {wrong}");
        }
        if step % 50 == 0 {
            assert_eq!(kit.contents(), model, "step {step} of HOZO_SEED={seed}");
        }
    }
    assert_eq!(kit.contents(), model, "the end of HOZO_SEED={seed}");
}

/// Says how an answer differs from the model's.
fn same<T: PartialEq + std::fmt::Debug>(
    what: &dyn std::fmt::Debug,
    answered: T,
    expected: T,
) -> Result<(), String> {
    if answered == expected {
        return Ok(());
    }
    Err(format!("{what:?}\nwas answered {answered:?}\n instead of {expected:?}"))
}

/// Says where the answers to several requests part from the model's.
fn same_each<R: std::fmt::Debug, A: PartialEq + std::fmt::Debug>(
    requests: &[R],
    answered: &[A],
    expected: &[A],
) -> Result<(), String> {
    let parted = answered.iter().zip(expected).position(|(a, b)| a != b);
    let Some(at) = parted else { return same(&"so many", answered.len(), expected.len()) };
    let before = requests.iter().zip(answered).take(at + 1);
    let mut text: String =
        before.map(|(request, answer)| format!("{request:?} {answer:?}\n")).collect();
    if let Some((start, _)) = text.char_indices().rev().nth(SHOWN_MAX) {
        text.drain(..start);
    }
    Err(format!("{text}is no end as the model has it: {:?}", expected[at]))
}

/// One of few keys, so that operations meet.
fn key(rng: &mut Rng) -> Bytes {
    match rng.below(12) {
        0 => Bytes::new(),
        1 => b((rng.below(4) as u64).to_be_bytes()),
        n => b(format!("{:03}", (n * 7 + rng.below(6)) % 30)),
    }
}

/// One of few values; some are numbers, some are long.
fn value(rng: &mut Rng) -> Bytes {
    match rng.below(10) {
        0 => Bytes::new(),
        1 | 2 => b(rng.next().to_be_bytes()),
        3 => b(vec![b'x'; rng.below(300)]),
        n => b(format!("v{n}")),
    }
}
