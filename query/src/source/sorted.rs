//! A source that is sorted in memory.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::{StreamExt, stream};
use types::batch::merge::MergeError;
use types::{Batch, SortKey, batch};

use super::{BATCH_ROWS, BatchStream};
use crate::error::Error;

/// Rows of one partition, sorted, one a point, with the memory that they occupy.
#[derive(Debug)]
pub(super) struct Sorted {
    batch: Batch,
    memory: MemoryReservation,
}

impl Sorted {
    /// Sorts `batches`, which stand in the order of their values, off the threads that serve
    /// requests.
    pub(super) async fn new(
        batches: Vec<Arc<Batch>>,
        key: SortKey,
        memory: MemoryReservation,
    ) -> Result<Self, Error> {
        let size: u64 = batches.iter().map(|batch| batch.size_bytes()).sum();
        // All rows once as one batch, and once more in their new order.
        memory.try_grow(usize::try_from(size).unwrap_or(usize::MAX / 2) * 2)?;
        let sort = move || batch::merge(&batches, &key);
        let sorted = SpawnedTask::spawn_blocking(sort).join_unwind().await;
        let batch =
            sorted.map_err(|error| fault(&error))?.map_err(|error| not_one_table(&error))?;
        memory.resize(usize::try_from(batch.size_bytes()).unwrap_or(usize::MAX));
        Ok(Self { batch, memory })
    }

    /// How many points there are.
    pub(super) fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// The rows as batches of `columns`.
    pub(super) fn stream(self, columns: &SchemaRef) -> Result<BatchStream, Error> {
        let Self { batch, memory } = self;
        let rows = batch.to_arrow(columns)?;
        let starts = (0..rows.num_rows()).step_by(BATCH_ROWS);
        let slices = starts.map(move |start| {
            // The slices share the memory, which is given back when the last was made.
            let _held = &memory;
            Ok(rows.slice(start, BATCH_ROWS.min(rows.num_rows() - start)))
        });
        Ok(stream::iter(slices).boxed())
    }
}

fn fault(error: &tokio::task::JoinError) -> Error {
    Error::Fault { reason: error.to_string() }
}

fn not_one_table(error: &MergeError) -> Error {
    Error::Fault { reason: error.to_string() }
}
