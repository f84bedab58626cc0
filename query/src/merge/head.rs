//! The first row of a source that is not taken yet.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::row::{Row, Rows};

/// A row of a source's present batch, ordered by its key and then by the age of the source.
#[derive(Clone, Debug)]
pub(super) struct Head {
    keys: Arc<Rows>,
    row: usize,
    source: usize,
}

impl Head {
    /// The first row of a batch of `source`; a batch has at least one.
    pub(super) fn new(keys: Rows, source: usize) -> Self {
        Self { keys: Arc::new(keys), row: 0, source }
    }

    pub(super) const fn row(&self) -> usize {
        self.row
    }

    pub(super) const fn source(&self) -> usize {
        self.source
    }

    pub(super) fn is_last(&self) -> bool {
        self.row + 1 == self.keys.num_rows()
    }

    pub(super) fn is_same_point(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    /// Goes to the next row of the batch.
    pub(super) fn advance(&mut self) {
        debug_assert!(
            self.key() < self.keys.row(self.row + 1),
            "a source is sorted and has each point once"
        );
        self.row += 1;
    }

    fn key(&self) -> Row<'_> {
        self.keys.row(self.row)
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = self.key().cmp(&other.key());
        by_key.then_with(|| self.source.cmp(&other.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}
