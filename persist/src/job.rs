//! One partition's sealed chunks on their way to one file.

use std::sync::Arc;

use types::{Batch, Chunk, DatabaseRef, LsnRange, PartitionId, PartitionKey, TableRef, Term};

/// One sealed set of chunks: all that its partition held within [`PersistJob::lsns`].
#[derive(Clone, Debug)]
pub struct PersistJob {
    /// The database.
    pub database: Arc<DatabaseRef>,
    /// The table.
    pub table: Arc<TableRef>,
    /// The partition's key.
    pub key: PartitionKey,
    /// The term in which the log owned the partition.
    pub term: Term,
    /// The chunks in LSN order, at least one.
    pub chunks: Vec<Chunk>,
}

impl PersistJob {
    /// The range of the job: each batch of the partition within it is in the job.
    ///
    /// # Panics
    ///
    /// If the job has no chunks, or they do not stand in LSN order: the order of values would be
    /// lost.
    pub fn lsns(&self) -> LsnRange {
        let (Some(first), Some(last)) = (self.chunks.first(), self.chunks.last()) else {
            panic!("a persist job has at least one chunk");
        };
        assert!(
            self.chunks.is_sorted_by(|a, b| a.lsns.last() < b.lsns.first()),
            "the chunks of a persist job stand in LSN order and do not overlap"
        );
        first.lsns.hull(last.lsns)
    }

    /// The partition's id.
    pub fn partition(&self) -> PartitionId {
        PartitionId::of(self.table.id, &self.key)
    }

    /// The bytes that the chunks hold in memory.
    pub fn size_bytes(&self) -> u64 {
        self.batches().map(|batch| batch.size_bytes()).sum()
    }

    /// The rows in LSN order.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Arc<Batch>> + Clone {
        self.chunks.iter().map(|chunk| &chunk.batch)
    }
}
