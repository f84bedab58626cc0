//! Log sequence numbers and exact ranges of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::counter;

counter! {
    /// Log sequence number: unique and rising within a log, given to each batch at append.
    ///
    /// Wall clocks never order anything; this does. The first batch of a log has LSN 1, so that
    /// [`Lsn::ZERO`] can mean "nothing yet".
    Lsn
}

impl Lsn {
    /// The LSN `batches` after this one.
    ///
    /// # Panics
    ///
    /// On overflow of a `u64`: a log that appends a billion batches a second lasts 584 years.
    #[must_use]
    pub const fn plus(self, batches: u64) -> Self {
        match self.0.checked_add(batches) {
            Some(raw) => Self(raw),
            None => panic!("the log sequence number overflowed a u64"),
        }
    }
}

/// A closed range of LSNs, never empty.
///
/// A file's range is exact: each batch **of that file's partition** within it is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LsnRange {
    first: Lsn,
    last: Lsn,
}

impl LsnRange {
    /// The range from `first` to `last`, both included.
    ///
    /// # Panics
    ///
    /// If `last` is below `first`.
    pub const fn new(first: Lsn, last: Lsn) -> Self {
        assert!(first.get() <= last.get(), "an LSN range must not be empty");
        Self { first, last }
    }

    /// The range that holds just `lsn`.
    pub const fn of(lsn: Lsn) -> Self {
        Self { first: lsn, last: lsn }
    }

    /// The smallest LSN of the range.
    pub const fn first(self) -> Lsn {
        self.first
    }

    /// The largest LSN of the range.
    pub const fn last(self) -> Lsn {
        self.last
    }

    /// True if `lsn` is in the range.
    pub fn contains(self, lsn: Lsn) -> bool {
        self.first <= lsn && lsn <= self.last
    }

    /// True if all of `other` is in this range.
    pub fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// True if some LSN is in both ranges.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The smallest range that covers both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

impl fmt::Display for LsnRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_closed_at_both_ends() {
        let range = LsnRange::new(Lsn::new(3), Lsn::new(5));
        assert!(range.contains(Lsn::new(3)) && range.contains(Lsn::new(5)));
        assert!(!range.contains(Lsn::new(2)) && !range.contains(Lsn::new(6)));
        assert!(range.covers(LsnRange::of(Lsn::new(4))));
        assert!(range.overlaps(LsnRange::new(Lsn::new(5), Lsn::new(9))));
        assert!(!range.overlaps(LsnRange::of(Lsn::new(6))));
        assert_eq!(range.hull(LsnRange::of(Lsn::new(9))).to_string(), "3..=9");
    }
}
