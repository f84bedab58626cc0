//! One request's write: parsed, checked, partitioned; and its form in a log frame.

pub mod codec;

use std::sync::Arc;

use crate::batch::Batch;
use crate::id::{BatchId, PartitionId};
use crate::memory::Reservation;
use crate::partition::PartitionKey;
use crate::schema::{DatabaseRef, SchemaChange, TableRef};

/// The part of one request that belongs to one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBatch {
    /// The table.
    pub table: Arc<TableRef>,
    /// The partition's key.
    pub key: PartitionKey,
    /// Its rows, at least one.
    pub batch: Arc<Batch>,
    partition: PartitionId,
}

impl PartitionBatch {
    /// The rows of `batch`, which belong to the partition of `table` and `key`. The partition's id
    /// is derived here, on the thread of the request, so that the log's thread finds it ready.
    pub fn new(table: Arc<TableRef>, key: PartitionKey, batch: Arc<Batch>) -> Self {
        let partition = PartitionId::of(table.id, &key);
        Self { table, key, batch, partition }
    }

    /// The partition that the rows belong to.
    pub const fn partition(&self) -> PartitionId {
        self.partition
    }
}

/// One request on its way through the sinks: kept whole or not at all.
#[derive(Debug)]
pub struct Write {
    /// The database.
    pub database: Arc<DatabaseRef>,
    /// One batch a partition, at least one; they get consecutive LSNs in this order.
    pub batches: Vec<PartitionBatch>,
    /// What has to be in the catalog before the batches are appended.
    pub schema_change: Option<SchemaChange>,
    /// The client's id of the request, or nil.
    pub batch_id: BatchId,
    /// The memory that the batches occupy.
    pub memory: Reservation,
}
