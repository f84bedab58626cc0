//! Statistics of things of which only the range of `time` is known: partitions, files, chunks.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, TimestampNanosecondArray, UInt64Array};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use types::name::TIME;

/// One range of `time` for each thing.
#[derive(Debug)]
pub(super) struct TimeRanges<'a>(pub(super) &'a [RangeInclusive<i64>]);

impl TimeRanges<'_> {
    fn of_time(
        &self,
        column: &Column,
        bound: impl Fn(&RangeInclusive<i64>) -> i64,
    ) -> Option<ArrayRef> {
        let bounds = self.0.iter().map(bound);
        let bounds = || TimestampNanosecondArray::from_iter_values(bounds);
        (column.name == TIME).then(|| Arc::new(bounds()) as ArrayRef)
    }
}

impl PruningStatistics for TimeRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of_time(column, |range| *range.start())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of_time(column, |range| *range.end())
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let none = || UInt64Array::from_value(0, self.0.len());
        (column.name == TIME).then(|| Arc::new(none()) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
