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
}

impl PartitionBatch {
    /// The partition that the rows belong to.
    pub fn partition(&self) -> PartitionId {
        PartitionId::of(self.table.id, &self.key)
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
