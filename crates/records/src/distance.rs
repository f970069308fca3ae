//! How many changes make one sequence of another.

/// Levenshtein's distance: how many items have to be changed, added or removed;
/// `None` if more than `most`.
pub(crate) fn edits<T: PartialEq>(a: &[T], b: &[T], most: usize) -> Option<usize> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > most {
        return None;
    }
    // One row of the table: from so many of `short` to what was seen of `long`.
    let mut row: Vec<usize> = (0..=short.len()).collect();
    for (n, item) in long.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        let mut least = row[0];
        for (i, other) in short.iter().enumerate() {
            let changed = diagonal + usize::from(item != other);
            diagonal = row[i + 1];
            row[i + 1] = changed.min(row[i] + 1).min(diagonal + 1);
            least = least.min(row[i + 1]);
        }
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|edits| *edits <= most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::edits;

    /// As it is defined.
    fn plainly(a: &[u8], b: &[u8]) -> usize {
        match (a.split_last(), b.split_last()) {
            (None, _) => b.len(),
            (_, None) => a.len(),
            (Some((x, a_rest)), Some((y, b_rest))) => (plainly(a_rest, b_rest)
                + usize::from(x != y))
            .min(plainly(a_rest, b) + 1)
            .min(plainly(a, b_rest) + 1),
        }
    }

    proptest! {
        #[test]
        fn is_what_it_is_defined_as(
            a in prop::collection::vec(0u8..3, 0..6), b in prop::collection::vec(0u8..3, 0..6),
            most in 0usize..7,
        ) {
            let expected = plainly(&a, &b);
            prop_assert_eq!(edits(&a, &b, usize::MAX), Some(expected));
            prop_assert_eq!(edits(&a, &b, most), Some(expected).filter(|n| *n <= most));
        }
    }

    #[test]
    fn known_distances() {
        assert_eq!(edits(b"kitten", b"sitting", 9), Some(3));
        assert_eq!(edits(b"", b"abc", 9), Some(3));
        assert_eq!(edits(b"abc", b"abc", 0), Some(0));
    }
}
