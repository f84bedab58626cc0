//! The buffer as queries see it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use types::seam::{GiveWay, PartitionRef, QueryError, QueryExec, QueryReader, TableReader};
use types::{CatalogVersion, Chunk, Epoch, LogId, Lsn, LsnRange, PartitionId, Position, TableId};

use super::readers::{ReaderId, Readers};
use super::{BufferTree, Partition};
use crate::published::PublishedLsn;

/// Whether queries are answered: not while acknowledged rows are still in the log only.
pub(crate) trait Serving: std::fmt::Debug + Send + Sync {
    /// # Errors
    ///
    /// [`QueryError::NotReady`] with what this node is doing.
    fn check_serving(&self) -> Result<(), QueryError>;
}

/// The face of a buffer tree towards queries.
#[derive(Debug)]
pub(crate) struct BufferQueryExec {
    tree: Arc<BufferTree>,
    serving: Arc<dyn Serving>,
    published: PublishedLsn,
    log: (LogId, Epoch),
}

impl BufferQueryExec {
    pub(crate) fn new(
        tree: Arc<BufferTree>,
        serving: Arc<dyn Serving>,
        published: PublishedLsn,
        log: (LogId, Epoch),
    ) -> Self {
        Self { tree, serving, published, log }
    }
}

#[async_trait]
impl QueryExec for BufferQueryExec {
    fn register(&self, version: CatalogVersion) -> Result<Arc<dyn QueryReader>, QueryError> {
        self.serving.check_serving()?;
        let registration = Registration::new(
            Arc::clone(self.tree.readers()),
            self.tree.readers().register(version)?,
        );
        Ok(Arc::new(RegisteredQuery { tree: Arc::clone(&self.tree), registration, version }))
    }

    fn log(&self) -> (LogId, Epoch) {
        self.log
    }

    fn published(&self) -> Lsn {
        self.published.get()
    }

    async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), QueryError> {
        let not_reached =
            || QueryError::PositionNotReached { wanted: position, published: self.published.get() };
        if position.log != self.log.0 || position.epoch > self.log.1 {
            return Err(not_reached());
        }
        let reached = tokio::time::timeout(timeout, self.published.reaches(position.lsn)).await;
        reached.map_err(|_| not_reached())
    }
}

/// Keeps a reader registered as long as it lives.
#[derive(Debug)]
struct Registration {
    readers: Arc<Readers>,
    id: ReaderId,
}

impl Registration {
    fn new(readers: Arc<Readers>, id: ReaderId) -> Self {
        Self { readers, id }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.readers.remove(self.id);
    }
}

#[derive(Debug)]
struct RegisteredQuery {
    tree: Arc<BufferTree>,
    registration: Registration,
    version: CatalogVersion,
}

impl QueryReader for RegisteredQuery {
    fn version(&self) -> CatalogVersion {
        self.version
    }

    fn open(&self, table: TableId) -> Arc<dyn TableReader> {
        let readers = self.tree.readers();
        let registration = readers
            .open(self.registration.id, self.version, table)
            .map(|id| Registration::new(Arc::clone(readers), id));
        let partitions = self
            .tree
            .table(table)
            .map_or_else(Vec::new, |table| table.partitions().iter().map(partition_ref).collect());
        Arc::new(TableScan {
            tree: Arc::clone(&self.tree),
            registration,
            version: self.version,
            table,
            partitions,
        })
    }
}

#[derive(Debug)]
struct TableScan {
    tree: Arc<BufferTree>,
    /// `None` if the query had given way before it opened the scan.
    registration: Option<Registration>,
    version: CatalogVersion,
    table: TableId,
    partitions: Vec<PartitionRef>,
}

impl TableScan {
    fn too_old(&self) -> QueryError {
        let oldest = self.tree.readers().oldest_served();
        QueryError::SnapshotTooOld { version: self.version, oldest }
    }
}

impl TableReader for TableScan {
    fn partitions(&self) -> &[PartitionRef] {
        &self.partitions
    }

    fn take(
        &self,
        partition: PartitionId,
        in_files: &[LsnRange],
    ) -> Result<Vec<Chunk>, QueryError> {
        let registration = self.registration.as_ref().ok_or_else(|| self.too_old())?;
        let found = self.tree.table(self.table).and_then(|table| table.partition(partition));
        let chunks = found.map_or_else(Vec::new, |found| found.chunks_not_in(in_files));
        // Checked after the chunks were taken: who was still registered then missed none.
        if !registration.readers.is_registered(registration.id) {
            return Err(self.too_old());
        }
        registration.readers.visited(registration.id, partition);
        Ok(chunks)
    }

    fn may_be_cut(&self, stream: Weak<dyn GiveWay>) {
        let registration = self.registration.as_ref();
        let known = registration.is_some_and(|registration| {
            registration.readers.may_be_cut(registration.id, Weak::clone(&stream))
        });
        if !known && let Some(stream) = stream.upgrade() {
            stream.give_way(self.too_old());
        }
    }
}

fn partition_ref(partition: &Arc<Partition>) -> PartitionRef {
    PartitionRef { key: partition.key().clone(), id: partition.id() }
}
