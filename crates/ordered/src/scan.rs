//! Scans of any length, a bounded piece at a time.

use hozo_traits::Result;

use crate::{OrderedEngine, OrderedPages, Pair, Scan, keys};

/// Pairs and bytes that one scan of the engine may answer.
const PIECE_PAIRS_MAX: usize = 4096;
const PIECE_BYTES_MAX: usize = 1 << 20;

/// A scan that goes on where its last piece ended.
pub(crate) struct Pieces<'a> {
    whole: Scan<'a>,
    /// The end towards which it has moved.
    bound: Option<Vec<u8>>,
    left: usize,
}

impl<'a> Pieces<'a> {
    /// Of this scan; its `bytes_max` is not looked at.
    pub(crate) fn of(whole: Scan<'a>) -> Self {
        Pieces { whole, bound: None, left: whole.limit }
    }

    /// The next piece; `None` after the last.
    pub(crate) async fn next<E: OrderedEngine>(&mut self, engine: &E) -> Result<Option<Vec<Pair>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let limit = self.left.min(PIECE_PAIRS_MAX);
        let mut scan = Scan { limit, bytes_max: PIECE_BYTES_MAX, ..self.whole };
        if let Some(bound) = &self.bound {
            if scan.reverse {
                scan.end = bound;
            } else {
                scan.start = bound;
            }
        }
        let piece = engine.scan(&scan).await?;
        let Some((key, _)) = piece.last() else { return Ok(None) };
        let last = key.to_vec();
        self.bound = Some(if scan.reverse { last } else { keys::after(last) });
        self.left -= piece.len().min(self.left);
        Ok(Some(piece))
    }
}

impl<E: OrderedEngine> OrderedPages<E> {
    /// All that a scan answers, at most its limit.
    pub(crate) async fn scan_all(&self, scan: Scan<'_>) -> Result<Vec<Pair>> {
        let mut all = Vec::new();
        let mut pieces = Pieces::of(scan);
        while let Some(piece) = pieces.next(&self.engine).await? {
            all.extend(piece);
        }
        Ok(all)
    }
}
