//! The series-coded batch: rows of one table and partition, in the one form that the parser makes,
//! the log stores, the buffer holds, the persist job sorts and a query reads.
//!
//! Time-series rows repeat their tag sets, so each distinct tag set stands once, and a row names it
//! by a number that belongs to its batch:
//!
//! ```text
//!   series                     rows: series  time  usage  idle
//!   0  host=a, region=eu              0       10    1.0   null
//!   1  host=b, region=eu              1       10    2.0   98.0
//!                                     0       20    1.5   97.0
//! ```
//!
//! Tag columns exist row by row only where somebody asks for them ([`Batch::to_arrow`]).

pub mod arrow_view;
pub mod builder;
pub mod codec;
pub mod field;
pub mod merge;
pub mod series;

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::filter;
use arrow::datatypes::{Int64Type, UInt32Type};
use arrow::error::ArrowError;

pub use builder::{AppendError, BatchBuilder, TypeClash};
pub use field::{FieldColumn, FieldValue};
pub use merge::merge;
pub use series::{SeriesSet, TagSet, TagSetBuilder};

use crate::lsn::LsnRange;
use crate::memory::SharedReservation;
use crate::name::ColumnName;

/// Rows of one table and partition; immutable, cheap to share, of equal length in all columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    series: SeriesSet,
    series_of_row: ScalarBuffer<u32>,
    time: ScalarBuffer<i64>,
    /// In name order.
    fields: Vec<FieldColumn>,
}

impl Batch {
    /// Puts a batch together.
    ///
    /// # Panics
    ///
    /// If the columns differ in length or a row names a series that is not there: both are faults
    /// of this program, never of an input.
    pub(crate) fn new(
        series: SeriesSet,
        series_of_row: ScalarBuffer<u32>,
        time: ScalarBuffer<i64>,
        fields: Vec<FieldColumn>,
    ) -> Self {
        assert_eq!(series_of_row.len(), time.len(), "each row has one series and one time");
        assert!(
            fields.iter().all(|field| field.values.len() == time.len()),
            "each field column has one entry a row"
        );
        assert!(
            series_of_row.iter().all(|series_of_row| (*series_of_row as usize) < series.len()),
            "each row names a series of its batch"
        );
        debug_assert!(fields.is_sorted_by(|a, b| a.name < b.name), "fields stand in name order");
        Self { series, series_of_row, time, fields }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// The distinct tag sets.
    pub const fn series(&self) -> &SeriesSet {
        &self.series
    }

    /// The number of each row's tag set.
    pub fn series_of_row(&self) -> &[u32] {
        &self.series_of_row
    }

    /// The time of each row in nanoseconds since 1970-01-01 UTC.
    pub const fn time(&self) -> &ScalarBuffer<i64> {
        &self.time
    }

    /// The field columns in name order.
    pub fn fields(&self) -> &[FieldColumn] {
        &self.fields
    }

    /// The field column called `name`.
    pub fn field(&self, name: &str) -> Option<&FieldColumn> {
        let at = self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()?;
        self.fields.get(at)
    }

    /// The names of all tags that occur, in name order.
    pub fn tags(&self) -> Vec<ColumnName> {
        self.series.tags()
    }

    /// The smallest and the largest time, or nothing for no rows.
    pub fn time_range(&self) -> Option<RangeInclusive<i64>> {
        let first = *self.time.iter().min()?;
        let last = *self.time.iter().max()?;
        Some(first..=last)
    }

    /// The rows for which `keep` says yes, in their order.
    ///
    /// # Errors
    ///
    /// If `keep` has not one entry for each row.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        let series = UInt32Array::new(self.series_of_row.clone(), None);
        let time = Int64Array::new(self.time.clone(), None);
        let field = |field: &FieldColumn| {
            let values = filter(&field.values, keep)?;
            Ok(FieldColumn { name: field.name.clone(), values })
        };
        let fields: Result<Vec<_>, ArrowError> = self.fields.iter().map(field).collect();
        Ok(Self::new(
            self.series.clone(),
            filter(&series, keep)?.as_primitive::<UInt32Type>().values().clone(),
            filter(&time, keep)?.as_primitive::<Int64Type>().values().clone(),
            fields?,
        ))
    }

    /// The bytes that the batch holds in memory.
    pub fn size_bytes(&self) -> u64 {
        let rows = self.series_of_row.inner().capacity() + self.time.inner().capacity();
        let fields: usize = self.fields.iter().map(FieldColumn::size_bytes).sum();
        (size_of::<Self>() + self.series.size_bytes() + rows + fields) as u64
    }
}

/// Sealed, immutable data of a partition with its LSN range.
///
/// Its rows stand in the order (LSN, row number in the batch), so that of two rows with one key the
/// later one is the newer.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Each batch of the partition within this range is in the chunk, whole.
    pub lsns: LsnRange,
    /// The rows.
    pub batch: Arc<Batch>,
    /// What the rows take in memory, until nobody has the chunk any more.
    pub memory: SharedReservation,
}
