//! A set of page numbers: one bit each.

/// Page numbers, in order.
#[derive(Clone, Default, Debug)]
pub(crate) struct PageSet {
    words: Vec<u64>,
}

impl PageSet {
    /// Adds a page; false if it was in the set already.
    pub(crate) fn insert(&mut self, no: u32) -> bool {
        let word = no as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let before = self.words[word];
        self.words[word] |= 1 << (no % 64);
        before != self.words[word]
    }

    /// Takes a page out.
    pub(crate) fn remove(&mut self, no: u32) {
        if let Some(word) = self.words.get_mut(no as usize / 64) {
            *word &= !(1 << (no % 64));
        }
    }

    /// Whether a page is in the set.
    pub(crate) fn contains(&self, no: u32) -> bool {
        self.words.get(no as usize / 64).is_some_and(|word| word & (1 << (no % 64)) != 0)
    }

    /// The highest page in the set.
    pub(crate) fn last(&self) -> Option<u32> {
        let word = self.words.iter().rposition(|&word| word != 0)?;
        Some(word as u32 * 64 + 63 - self.words[word].leading_zeros())
    }

    /// The pages, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(at as u32 * 64 + bit)
            })
        })
    }
}
