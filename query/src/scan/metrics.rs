//! What `EXPLAIN ANALYZE` shows of a scan.

use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

/// The counters of one stream of a scan.
#[derive(Clone, Debug)]
pub(crate) struct ScanMetrics {
    /// Rows that came out, one a point.
    pub(crate) output_rows: Count,
    /// Rows that the buffer had, before deduplication.
    pub(crate) buffer_rows: Count,
    /// Rows that were read from files, before deduplication.
    pub(crate) file_rows: Count,
    /// Files that were read.
    pub(crate) files: Count,
    /// Files of the version that the filters excluded.
    pub(crate) files_pruned: Count,
    /// Row groups that were read.
    pub(crate) row_groups: Count,
    /// Row groups that their statistics excluded.
    pub(crate) row_groups_pruned: Count,
    /// Sources that were read alone, because no other overlaps their time.
    pub(crate) sources_alone: Count,
    /// Sources that were merged with others.
    pub(crate) sources_merged: Count,
}

impl ScanMetrics {
    /// The counters of stream `partition`.
    pub(crate) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        Self {
            output_rows: MetricBuilder::new(set).output_rows(partition),
            buffer_rows: counter("buffer_rows"),
            file_rows: counter("file_rows"),
            files: counter("files"),
            files_pruned: counter("files_pruned"),
            row_groups: counter("row_groups"),
            row_groups_pruned: counter("row_groups_pruned"),
            sources_alone: counter("sources_alone"),
            sources_merged: counter("sources_merged"),
        }
    }

    /// Counts the row groups of a file, of which `read` are read.
    pub(crate) fn count_row_groups(&self, file: &ArrowReaderMetadata, read: &[usize]) {
        self.row_groups.add(read.len());
        let all = file.metadata().num_row_groups();
        self.row_groups_pruned.add(all.saturating_sub(read.len()));
    }
}
