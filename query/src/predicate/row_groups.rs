//! Statistics of the row groups of a Parquet file.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::Result;
use parquet::file::metadata::RowGroupMetaData;

/// The row groups of one file.
#[derive(Debug)]
pub(super) struct RowGroups<'a> {
    file: &'a ArrowReaderMetadata,
}

impl<'a> RowGroups<'a> {
    pub(super) const fn new(file: &'a ArrowReaderMetadata) -> Self {
        Self { file }
    }

    fn groups(&self) -> &'a [RowGroupMetaData] {
        self.file.metadata().row_groups()
    }

    /// What `read` finds for `column`; nothing for columns that the file does not have.
    fn statistics<A>(
        &self,
        column: &Column,
        read: impl Fn(&StatisticsConverter<'_>, &'a [RowGroupMetaData]) -> Result<A>,
    ) -> Option<A> {
        // Columns are found by their position, so the schema has to be the file's own: a table may
        // have gained columns since.
        let (schema, columns) = (self.file.schema(), self.file.parquet_schema());
        let converter = StatisticsConverter::try_new(&column.name, schema, columns);
        // A column without any value has no statistics at all: that is no count of zero nulls.
        let converter = converter.ok()?.with_missing_null_counts_as_zero(false);
        converter.parquet_column_index()?;
        read(&converter, self.groups()).ok()
    }
}

impl PruningStatistics for RowGroups<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.statistics(column, |of, groups| of.row_group_mins(groups))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.statistics(column, |of, groups| of.row_group_maxes(groups))
    }

    fn num_containers(&self) -> usize {
        self.groups().len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts = self.statistics(column, |of, groups| of.row_group_null_counts(groups))?;
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.groups().iter().map(|group| group.num_rows());
        let rows: UInt64Array = rows.map(|rows| u64::try_from(rows).ok()).collect();
        Some(Arc::new(rows))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
