//! A source that is sorted in memory.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::{StreamExt, stream};
use types::batch::merge::MergeError;
use types::effect::Pool;
use types::{Batch, SortKey, batch};

use super::own_rows::own_rows;
use super::{BATCH_ROWS, BatchStream};
use crate::error::Error;
use crate::on_pool::on_pool;

/// Rows of one partition, sorted, one a point, with the memory that they occupy.
#[derive(Debug)]
pub(super) struct Sorted {
    batch: Batch,
    _memory: MemoryReservation,
}

impl Sorted {
    /// Sorts `batches`, which stand in the order of their values, off the threads that serve
    /// requests. `memory` holds what of them nobody else accounts for.
    pub(super) async fn new(
        batches: Vec<Arc<Batch>>,
        key: SortKey,
        memory: MemoryReservation,
        pool: &dyn Pool,
    ) -> Result<Self, Error> {
        let size: u64 = batches.iter().map(|batch| batch.size_bytes()).sum();
        // All rows once as one batch, and once more in their new order.
        memory.try_grow(usize::try_from(size).unwrap_or(usize::MAX / 2) * 2)?;
        // Sorting goes on when the query is cancelled, and the account with it.
        let sort = move || {
            let batch = batch::merge(&batches, &key)?;
            drop(batches);
            memory.resize(usize::try_from(batch.size_bytes()).unwrap_or(usize::MAX));
            Ok::<_, MergeError>(Self { batch, _memory: memory })
        };
        on_pool(pool, sort).await?.map_err(|error| not_one_table(&error))
    }

    /// How many points there are.
    pub(super) fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// The rows as batches of `columns`, each made when it is asked for and with no memory in
    /// common with the others.
    pub(super) fn stream(self, columns: &SchemaRef) -> BatchStream {
        let columns = SchemaRef::clone(columns);
        let starts = (0..self.rows()).step_by(BATCH_ROWS);
        let ranges = starts.map(move |start| {
            let end = self.rows().min(start + BATCH_ROWS);
            own_rows(&self.batch, &(start..end), &columns).map_err(Error::from)
        });
        stream::iter(ranges).boxed()
    }
}

fn not_one_table(error: &MergeError) -> Error {
    Error::Fault { reason: error.to_string() }
}
