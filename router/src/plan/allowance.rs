//! The memory of a request's batches, reserved before it is allocated.

use types::Reservation;

use crate::error::Error;

/// The reservation grows by at least this much, so that not every row asks the budget.
const STEP_BYTES: u64 = 256 << 10;
/// Most text of tags and strings in one request: offsets of Arrow strings end at 2 GiB.
const TEXT_BYTES_MAX: u64 = 1 << 30;
/// A builder may have twice the room that it needs. One that is moved stands twice for a moment,
/// but then the half of its new room is not touched yet.
const GROWTH_FACTOR: u64 = 2;
/// A write holds its rows and, until it is durable, what is encoded of them, which is at most as
/// much again: the sink makes sure of so much before it encodes.
const ENCODED_FACTOR: u64 = 2;
/// A row's series number and time.
const ROW_BYTES: u64 = 12;
/// A value, and its bit among the nulls.
const VALUE_BYTES: u64 = 9;
/// A partition without its rows: the builder, its place in the tree of its table, and the least
/// room that its tables take. Many small partitions cost more by this than by their rows.
const PARTITION_BYTES: u64 = 2 << 10;
/// A column of a partition without its values: the builder, its name, and the least room of its
/// buffers.
const COLUMN_BYTES: u64 = 320;

/// What a request's batches may use.
#[derive(Debug)]
pub(crate) struct Allowance {
    reservation: Reservation,
    /// What the request holds beside it, such as its body.
    beside: u64,
    text: u64,
    values: u64,
}

impl Allowance {
    /// Grows `reservation`, which covers nothing yet; its request holds `beside` in others.
    pub(crate) const fn new(reservation: Reservation, beside: u64) -> Self {
        Self { reservation, beside, text: 0, values: 0 }
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
        if grown { Ok(()) } else { Err(Error::no_memory(&self.reservation, self.beside, missing)) }
    }

    /// The reservation, once the rows take `bytes`: for these, and as far as it goes for what will
    /// be encoded of them.
    ///
    /// Only the first step of a request waits for memory; who cannot grow later is refused, and all
    /// its work is lost. So what the sink asks for next is not given back in between, where others
    /// would take it. To keep it takes nothing from anybody: it was held until now, and the sink
    /// gives back what it does not need as soon as it knows.
    pub(crate) fn settle(mut self, bytes: u64) -> Reservation {
        let to_encode = bytes.saturating_mul(ENCODED_FACTOR);
        self.reservation.set_anyway(self.reservation.bytes().min(to_encode).max(bytes));
        self.reservation
    }
}

/// The rows of a table, the fields that each of them has room for, and the partitions they are in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The rows.
    pub(crate) rows: u64,
    /// The field columns.
    pub(crate) fields: u64,
    /// The partitions.
    pub(crate) partitions: u64,
}

impl Extent {
    const fn bytes(self) -> u64 {
        let row = ROW_BYTES.saturating_add(VALUE_BYTES.saturating_mul(self.fields));
        let partition = PARTITION_BYTES.saturating_add(COLUMN_BYTES.saturating_mul(self.fields));
        let rows = self.rows.saturating_mul(row);
        rows.saturating_add(self.partitions.saturating_mul(partition))
    }
}

#[cfg(test)]
mod tests {
    use types::batch::{FieldValue, TagSetBuilder};
    use types::{BatchBuilder, ColumnName, MemoryBudget, MemoryOwner};

    use super::super::planner::SERIES_BYTES;
    use super::*;

    fn allowance(limit: u64) -> Allowance {
        let budget = MemoryBudget::new(limit);
        let none = budget.try_reserve(MemoryOwner::Request, 0);
        Allowance::new(none.expect("nothing always fits"), 0)
    }

    fn extent(rows: u64, fields: u64) -> Extent {
        Extent { rows, fields, partitions: u64::from(rows > 0) }
    }

    #[test]
    fn memory_is_there_before_the_rows_are() {
        let mut allowance = allowance(1 << 20);
        let covered = allowance.cover(extent(0, 0), extent(1_000, 10), 500);
        assert!(covered.is_ok());
        assert!(allowance.reservation.bytes() >= 2 * (1_000 * 102 + 500));
        assert_eq!(allowance.settle(700).bytes(), 1_400);
    }

    #[test]
    fn what_the_rows_will_be_encoded_with_is_not_given_back_for_others_to_take() {
        let budget = MemoryBudget::new(1_000);
        let settled = |held, bytes| {
            let held = budget.try_reserve(MemoryOwner::Request, held).expect("there is room");
            Allowance::new(held, 0).settle(bytes).bytes()
        };
        assert_eq!(settled(1_000, 300), 600, "twice the rows, and no more");
        assert_eq!(settled(500, 300), 500, "what there is of it");
        assert_eq!(settled(200, 300), 300, "the rows are there, whatever was estimated");
        let held = budget.try_reserve(MemoryOwner::Request, 1_000).expect("all is free again");
        let kept = Allowance::new(held, 0).settle(500);
        let other = budget.try_reserve(MemoryOwner::Request, 1);
        assert!(other.is_none(), "the sink will not have to ask for it");
        drop(kept);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_takes_nothing() {
        let mut allowance = allowance(10_000);
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

    #[test]
    fn what_a_request_holds_elsewhere_decides_whether_it_can_ever_fit() {
        let budget = MemoryBudget::new(20_000);
        let body = budget.try_reserve(MemoryOwner::Request, 9_000).expect("there is room");
        let refused = |beside| {
            let rows = budget.try_reserve(MemoryOwner::Request, 0).expect("nothing always fits");
            Allowance::new(rows, beside).cover(extent(0, 0), extent(200, 1), 0)
        };
        assert!(matches!(refused(body.bytes()), Err(Error::MoreThanMemory { .. })));
        assert!(matches!(refused(0), Err(Error::NoMemory { .. })), "others may give it back");
    }

    #[test]
    fn a_builder_holds_no_more_than_was_reserved_for_it() {
        for (rows, fields) in [(1, 1), (1, 50), (5, 3), (65, 2), (1_025, 1), (1_025, 20)] {
            let names = (0..fields).map(|field| ColumnName::new(&format!("field{field}")));
            let names: Vec<ColumnName> = names.collect::<Result<_, _>>().expect("good names");
            let mut tags = TagSetBuilder::default();
            let mut builder = BatchBuilder::new();
            let mut text = 0;
            for row in 0..rows {
                let host = row.to_string();
                let series = tags.build(&mut [("host", host.as_str())]);
                text += series.as_str().len() as u64 + SERIES_BYTES;
                let values = names.iter().map(|name| (name, FieldValue::I64(row)));
                builder.push_row(series, row, values).expect("all of one type");
            }
            let mut allowance = allowance(1 << 30);
            let after = extent(rows.unsigned_abs(), fields);
            allowance.cover(extent(0, 0), after, text).expect("there is room");
            let reserved = (text + after.bytes()) * GROWTH_FACTOR;
            assert!(allowance.reservation.bytes() >= reserved);
            let growing = builder.size_bytes();
            assert!(growing <= reserved, "{growing} of {reserved} for {rows} rows");
            let whole = builder.finish().size_bytes();
            assert!(whole <= reserved, "{whole} of {reserved} for {rows} rows");
        }
    }
}
