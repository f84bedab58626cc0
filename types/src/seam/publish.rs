//! What happens to a batch once it is durable.

use crate::id::SegmentSeq;
use crate::lsn::Lsn;
use crate::memory::Reservation;
use crate::schema::DatabaseRef;
use crate::write::PartitionBatch;
use std::sync::Arc;

/// A batch that is fsynced.
#[derive(Debug)]
pub struct DurableBatch {
    /// Its LSN; batches are published in this order.
    pub lsn: Lsn,
    /// The segment that holds it.
    pub segment: SegmentSeq,
    /// The database it was written to.
    pub database: Arc<DatabaseRef>,
    /// The rows.
    pub batch: PartitionBatch,
    /// The memory that the rows occupy.
    pub memory: Reservation,
}

/// Makes durable batches visible: synchronous, infallible, and it never waits.
pub trait Publish: Send + Sync {
    /// Makes `batch` visible to every query from now on.
    fn publish(&self, batch: DurableBatch);
}
