//! The memory of a request's batches, reserved before it is allocated.

use types::Reservation;

use crate::error::Error;

/// The reservation grows by at least this much, so that not every row asks the budget.
const STEP_BYTES: u64 = 256 << 10;
/// Most text of tags and strings in one request: offsets of Arrow strings end at 2 GiB.
const TEXT_BYTES_MAX: u64 = 1 << 30;
/// A builder may have twice the room that it needs, and a moved one stands twice for a moment.
const GROWTH_FACTOR: u64 = 2;
/// A row's series number and time.
const ROW_BYTES: u64 = 12;
/// A value, and its bit among the nulls.
const VALUE_BYTES: u64 = 9;

/// What a request's batches may use.
#[derive(Debug)]
pub(crate) struct Allowance {
    reservation: Reservation,
    text: u64,
    values: u64,
}

impl Allowance {
    /// Grows `reservation`, which covers nothing yet.
    pub(crate) const fn new(reservation: Reservation) -> Self {
        Self { reservation, text: 0, values: 0 }
    }

    /// Makes room for a row more in a table, whose rows × fields go from `before` to `after`, with
    /// `text` more bytes of tags and strings.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`]; [`Error::MoreThanMemory`] and [`Error::TooMuchText`] where waiting would
    /// not help.
    pub(crate) fn cover(&mut self, before: Extent, after: Extent, text: u64) -> Result<(), Error> {
        let added = after.bytes().saturating_sub(before.bytes());
        let text = self.text.saturating_add(text);
        if text > TEXT_BYTES_MAX {
            return Err(Error::TooMuchText { limit: TEXT_BYTES_MAX });
        }
        let values = self.values.saturating_add(added);
        let needed = text.saturating_add(values).saturating_mul(GROWTH_FACTOR);
        self.grow_to(needed)?;
        self.text = text;
        self.values = values;
        Ok(())
    }

    /// Gives room back for other text: a tag set that was seen before takes none.
    pub(crate) const fn uncover_text(&mut self, bytes: u64) {
        self.text = self.text.saturating_sub(bytes);
    }

    fn grow_to(&mut self, bytes: u64) -> Result<(), Error> {
        let missing = bytes.saturating_sub(self.reservation.bytes());
        if missing == 0 {
            return Ok(());
        }
        let step = missing.max(STEP_BYTES);
        let grown = self.reservation.try_grow(step) || self.reservation.try_grow(missing);
        if grown { Ok(()) } else { Err(Error::no_memory(&self.reservation, missing)) }
    }

    /// The reservation, at the size of what it was used for.
    pub(crate) fn settle(mut self, bytes: u64) -> Reservation {
        self.reservation.set_anyway(bytes);
        self.reservation
    }
}

/// The rows of a table and the fields that each of them has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The rows.
    pub(crate) rows: u64,
    /// The field columns.
    pub(crate) fields: u64,
}

impl Extent {
    const fn bytes(self) -> u64 {
        let row = ROW_BYTES.saturating_add(VALUE_BYTES.saturating_mul(self.fields));
        self.rows.saturating_mul(row)
    }
}

#[cfg(test)]
mod tests {
    use types::{MemoryBudget, MemoryOwner};

    use super::*;

    fn allowance(limit: u64) -> Allowance {
        let budget = MemoryBudget::new(limit);
        let none = budget.try_reserve(MemoryOwner::Request, 0);
        Allowance::new(none.expect("nothing always fits"))
    }

    fn extent(rows: u64, fields: u64) -> Extent {
        Extent { rows, fields }
    }

    #[test]
    fn memory_is_there_before_the_rows_are() {
        let mut allowance = allowance(1 << 20);
        let covered = allowance.cover(extent(0, 0), extent(1_000, 10), 500);
        assert!(covered.is_ok());
        assert!(allowance.reservation.bytes() >= 2 * (1_000 * 102 + 500));
        assert_eq!(allowance.settle(700).bytes(), 700);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_takes_nothing() {
        let mut allowance = allowance(1_000);
        assert!(allowance.cover(extent(0, 0), extent(1, 1), 0).is_ok());
        let held = allowance.reservation.bytes();
        let refused = allowance.cover(extent(1, 1), extent(1_000, 1), 0);
        assert!(matches!(refused, Err(Error::MoreThanMemory { .. })));
        assert_eq!(allowance.reservation.bytes(), held);
    }

    #[test]
    fn text_that_no_batch_can_hold_is_refused_whatever_memory_there_is() {
        let mut allowance = allowance(u64::MAX);
        let refused = allowance.cover(extent(0, 0), extent(1, 1), TEXT_BYTES_MAX + 1);
        assert!(matches!(refused, Err(Error::TooMuchText { .. })));
    }
}
