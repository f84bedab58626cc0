//! A source that is sorted in memory.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::{StreamExt, stream};
use types::batch::merge::MergeError;
use types::effect::Pool;
use types::{Batch, Chunk, SharedReservation, SortKey, batch};

use super::{BATCH_ROWS, BatchStream};
use crate::error::Error;
use crate::on_pool::on_pool;

/// Batches in the order of their values, with the memory that others have reserved for them.
#[derive(Debug, Default)]
pub(super) struct Unsorted {
    batches: Vec<Arc<Batch>>,
    /// Until they are sorted, also if the buffer lets go of them meanwhile.
    _memory: Vec<SharedReservation>,
}

impl Unsorted {
    /// Rows that the query has reserved memory for itself.
    pub(super) fn of(batch: Batch) -> Self {
        Self { batches: vec![Arc::new(batch)], ..Self::default() }
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.batches.iter().map(|batch| batch.rows()).sum()
    }
}

impl From<Vec<Chunk>> for Unsorted {
    fn from(chunks: Vec<Chunk>) -> Self {
        let parts = chunks.into_iter().map(|chunk| (chunk.batch, chunk.memory));
        let (batches, memory) = parts.unzip();
        Self { batches, _memory: memory }
    }
}

/// Rows of one partition, sorted, one a point, with the memory that they occupy.
#[derive(Debug)]
pub(super) struct Sorted {
    batch: Batch,
    _memory: MemoryReservation,
}

impl Sorted {
    /// Sorts `rows` off the threads that serve requests. `memory` holds what of them nobody else
    /// accounts for.
    pub(super) async fn new(
        rows: Unsorted,
        key: SortKey,
        memory: MemoryReservation,
        pool: &dyn Pool,
    ) -> Result<Self, Error> {
        let size: u64 = rows.batches.iter().map(|batch| batch.size_bytes()).sum();
        // All rows once as one batch, and once more in their new order.
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        memory.try_grow(size.saturating_mul(2))?;
        // Sorting goes on when the query is cancelled, and the account with it.
        let sort = move || {
            let batch = batch::merge(&rows.batches, &key)?;
            drop(rows);
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
            self.batch.rows_to_arrow(&(start..end), &columns).map_err(Error::from)
        });
        stream::iter(ranges).boxed()
    }
}

fn not_one_table(error: &MergeError) -> Error {
    Error::Fault { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
    use futures::FutureExt;
    use parking_lot::Mutex;
    use types::batch::{BatchBuilder, TagSetBuilder};
    use types::{Lsn, LsnRange, MemoryBudget, MemoryOwner};

    use super::*;

    /// Keeps what it is given.
    #[derive(Default)]
    struct Later(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

    impl std::fmt::Debug for Later {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Later").finish_non_exhaustive()
        }
    }

    impl Pool for Later {
        fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
            self.0.lock().push(work);
        }
    }

    fn one_row() -> Arc<Batch> {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        let tags = tags.build(&mut [("host", "a")]);
        builder.push_row(tags, 1, std::iter::empty()).expect("no types");
        Arc::new(builder.finish())
    }

    #[test]
    fn chunks_count_until_they_are_sorted() {
        let (budget, later) = (MemoryBudget::new(1_000), Later::default());
        let reserved = budget.try_reserve(MemoryOwner::Query, 100).expect("there is room");
        let memory = SharedReservation::new(reserved);
        let chunk = Chunk { lsns: LsnRange::of(Lsn::new(1)), batch: one_row(), memory };
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let account = MemoryConsumer::new("test").register(&pool);
        let rows = Unsorted::from(vec![chunk]);
        let mut sorting = Box::pin(Sorted::new(rows, SortKey::default(), account, &later));
        assert!(sorting.as_mut().now_or_never().is_none(), "it waits for the pool");
        assert_eq!(budget.used(), 100);
        let work = later.0.lock().remove(0);
        work();
        assert_eq!(budget.used(), 0);
        let sorted = sorting.now_or_never().expect("the work is done").expect("is one table");
        assert_eq!(sorted.rows(), 1);
    }
}
