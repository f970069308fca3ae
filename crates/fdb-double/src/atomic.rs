//! What atomic operations make of a value.

use crate::cluster::VALUE_BYTES_MAX;

/// An operation that is carried out where the value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Atomic {
    Add,
    And,
    Or,
    Xor,
    AppendIfFits,
    Max,
    Min,
    ByteMin,
    ByteMax,
    CompareAndClear,
}

impl Atomic {
    /// By its number in `FDBMutationType`; versionstamps are not among these.
    pub(crate) fn from_code(code: u32) -> Option<Atomic> {
        Some(match code {
            2 => Atomic::Add,
            6 => Atomic::And,
            7 => Atomic::Or,
            8 => Atomic::Xor,
            9 => Atomic::AppendIfFits,
            12 => Atomic::Max,
            13 => Atomic::Min,
            16 => Atomic::ByteMin,
            17 => Atomic::ByteMax,
            20 => Atomic::CompareAndClear,
            _ => return None,
        })
    }

    /// The value afterwards; `None` if there is none.
    pub(crate) fn apply(self, before: Option<&[u8]>, operand: &[u8]) -> Option<Vec<u8>> {
        let Some(before) = before else {
            return match self {
                Atomic::CompareAndClear => None,
                _ => Some(operand.to_vec()),
            };
        };
        // As long as the operand: cut, or with zeros behind.
        let fitted = || {
            let mut fitted = before.to_vec();
            fitted.resize(operand.len(), 0);
            fitted
        };
        let bitwise = |f: fn(u8, u8) -> u8| {
            Some(fitted().iter().zip(operand).map(|(a, b)| f(*a, *b)).collect())
        };
        match self {
            Atomic::Add => Some(add(&fitted(), operand)),
            Atomic::And => bitwise(|a, b| a & b),
            Atomic::Or => bitwise(|a, b| a | b),
            Atomic::Xor => bitwise(|a, b| a ^ b),
            Atomic::AppendIfFits if before.len() + operand.len() <= VALUE_BYTES_MAX => {
                Some([before, operand].concat())
            }
            Atomic::AppendIfFits => Some(before.to_vec()),
            // Numbers are little-endian.
            Atomic::Max => Some(larger(fitted(), operand, true)),
            Atomic::Min => Some(larger(fitted(), operand, false)),
            Atomic::ByteMin => Some(before.min(operand).to_vec()),
            Atomic::ByteMax => Some(before.max(operand).to_vec()),
            Atomic::CompareAndClear => (before != operand).then(|| before.to_vec()),
        }
    }
}

fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0u16;
    let sum = a.iter().zip(b).map(|(a, b)| {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        carry = sum >> 8;
        sum as u8
    });
    sum.collect()
}

fn larger(a: Vec<u8>, b: &[u8], larger: bool) -> Vec<u8> {
    let is_less = a.iter().rev().lt(b.iter().rev());
    if is_less == larger { b.to_vec() } else { a }
}
