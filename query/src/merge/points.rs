//! The points that a merge has found and not handed out yet.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;

use super::KeyColumns;
use crate::error::Error;

/// A row of a batch that is held: (number of the batch, row).
type Pick = (usize, usize);

/// Points in the order of their keys, each as the row of its newest version, and for single fields
/// an older row where the newest has no value.
#[derive(Debug)]
pub(super) struct Points {
    output: SchemaRef,
    /// Batches that a point, or a row to come, refers to.
    batches: Vec<RecordBatch>,
    /// The number of each source's present batch.
    batch_of_source: Vec<Option<usize>>,
    /// The rows of the point that is being put together, the oldest first.
    versions: Vec<Pick>,
    newest: Vec<Pick>,
    /// By field: the points that have an older row's value.
    older: Vec<FieldPicks>,
}

/// The points whose value of one field comes from another row than their newest.
#[derive(Debug)]
struct FieldPicks {
    column: usize,
    picks: Vec<(usize, Pick)>,
}

impl Points {
    pub(super) fn new(columns: &KeyColumns, sources: usize) -> Self {
        let older = columns.fields().map(|column| FieldPicks { column, picks: Vec::new() });
        Self {
            output: Arc::clone(columns.output()),
            batches: Vec::new(),
            batch_of_source: vec![None; sources],
            versions: Vec::new(),
            newest: Vec::new(),
            older: older.collect(),
        }
    }

    /// How many points there are.
    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }

    /// Rows of `source` are rows of `batch` from now on.
    pub(super) fn read(&mut self, source: usize, batch: RecordBatch) {
        self.batch_of_source[source] = Some(self.batches.len());
        self.batches.push(batch);
    }

    /// There are no more rows of `source`.
    pub(super) fn end(&mut self, source: usize) {
        self.batch_of_source[source] = None;
    }

    /// Adds a newer version to the point that is being put together.
    pub(super) fn add_row(&mut self, source: usize, row: usize) {
        // A source has a batch as long as it has rows to add.
        if let Some(batch) = self.batch_of_source[source] {
            self.versions.push((batch, row));
        }
    }

    /// The versions that were added are one point.
    pub(super) fn end_point(&mut self) {
        let Some(newest) = self.versions.pop() else {
            return;
        };
        if !self.versions.is_empty() {
            self.fill_from_older(newest);
        }
        self.newest.push(newest);
        self.versions.clear();
    }

    fn fill_from_older(&mut self, newest: Pick) {
        let point = self.newest.len();
        for field in &mut self.older {
            let has_value =
                |pick: &&Pick| self.batches[pick.0].column(field.column).is_valid(pick.1);
            if !has_value(&&newest)
                && let Some(older) = self.versions.iter().rev().find(has_value)
            {
                field.picks.push((point, *older));
            }
        }
    }

    /// Hands out the points, or nothing if there are none; of the batches only those stay that
    /// sources still have rows of.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.newest.is_empty() {
            return Ok(None);
        }
        let columns: Result<Vec<_>, _> = (0..self.output.fields().len())
            .map(|column| {
                let arrays: Vec<&dyn Array> =
                    self.batches.iter().map(|batch| batch.column(column).as_ref()).collect();
                interleave(&arrays, &self.picks(column))
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.newest.len()));
        let output = Arc::clone(&self.output);
        let batch = RecordBatch::try_new_with_options(output, columns?, &options)?;
        self.forget();
        Ok(Some(batch))
    }

    /// The row of each point that `column` is taken from.
    fn picks(&self, column: usize) -> Vec<Pick> {
        let mut picks = self.newest.clone();
        let older = self.older.iter().filter(|field| field.column == column);
        for (point, pick) in older.flat_map(|field| &field.picks) {
            picks[*point] = *pick;
        }
        picks
    }

    fn forget(&mut self) {
        let batches = std::mem::take(&mut self.batches);
        for number in self.batch_of_source.iter_mut().flatten() {
            self.batches.push(batches[*number].clone());
            *number = self.batches.len() - 1;
        }
        self.newest.clear();
        for field in &mut self.older {
            field.picks.clear();
        }
    }
}
