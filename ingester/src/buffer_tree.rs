//! The buffer tree: durable rows that are not in files yet, and those that queries still need.
//!
//! ```text
//!   BufferTree ── table ── partition ┬ open chunk    small batches gather here
//!                                    ├ chunks        closed, not sealed, in LSN order
//!                                    ├ sealed sets   one persist job each
//!                                    └ retired sets  in a file of version W; kept for readers
//!                                                    of versions below W
//! ```
//!
//! Publishing is a push under the partition's lock; readers clone `Arc`s under it. Nobody holds the
//! lock while waiting for anything.

mod open_chunk;
pub(crate) mod partition;
mod query_exec;
mod readers;
mod table;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use types::effect::Clock;
use types::schema::DatabaseRef;
use types::seam::{DurableBatch, Publish};
use types::{CatalogVersion, LsnRange, MemoryBudget, PartitionId, TableId};

pub(crate) use partition::{Partition, PartitionSize, SealedSet};
pub(crate) use query_exec::{BufferQueryExec, Serving};
use readers::Readers;
pub(crate) use table::TableBuffer;
use totals::Totals;

/// Hears of partitions that reached the hot size, on the publisher's thread: it must not wait.
pub(crate) trait HotPartitionObserver: Send + Sync + std::fmt::Debug {
    /// `partition` was sealed because it is hot; `sealed` is to be persisted.
    fn sealed_hot(&self, partition: &Arc<Partition>, sealed: SealedSet);
}

/// What bounds the parts of the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferLimits {
    /// Bytes at which a partition is sealed, whether it can be persisted now or not.
    pub(crate) hot_partition_bytes: u64,
    /// Bytes that queries may hold, with the retired sets that are kept for them.
    pub(crate) query_bytes_max: u64,
}

/// All tables, by id.
#[derive(Debug)]
pub(crate) struct BufferTree {
    tables: RwLock<BTreeMap<TableId, Arc<TableBuffer>>>,
    totals: Arc<Totals>,
    readers: Arc<Readers>,
    limits: BufferLimits,
    hot: Arc<dyn HotPartitionObserver>,
    clock: Arc<dyn Clock>,
}

impl BufferTree {
    pub(crate) fn new(
        limits: BufferLimits,
        hot: Arc<dyn HotPartitionObserver>,
        clock: Arc<dyn Clock>,
        memory: Arc<MemoryBudget>,
    ) -> Self {
        Self {
            tables: RwLock::default(),
            totals: Arc::default(),
            readers: Arc::new(Readers::new(memory, limits.query_bytes_max)),
            limits,
            hot,
            clock,
        }
    }

    pub(crate) fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// The buffer of `table`, if it ever had rows.
    pub(crate) fn table(&self, table: TableId) -> Option<Arc<TableBuffer>> {
        self.tables.read().get(&table).map(Arc::clone)
    }

    /// All tables, in the order of their ids.
    pub(crate) fn tables(&self) -> Vec<Arc<TableBuffer>> {
        self.tables.read().values().map(Arc::clone).collect()
    }

    /// How many partitions there are.
    pub(crate) fn partition_count(&self) -> usize {
        self.totals.partitions()
    }

    /// All partitions, table by table in the order of their keys.
    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.tables().iter().flat_map(|table| table.partitions()).collect()
    }

    /// Marks the sealed set of `partition` that begins at the range's first LSN as being in a file
    /// of `version`, and lets go of what no reader needs.
    pub(crate) fn retire(
        &self,
        table: TableId,
        partition: PartitionId,
        lsns: LsnRange,
        version: CatalogVersion,
    ) {
        let Some(table) = self.table(table) else {
            return;
        };
        let Some(partition) = table.partition(partition) else {
            return;
        };
        partition.retire(lsns, version);
        self.readers.sweep(&partition);
        table.remove_if_empty(&partition);
    }

    /// Seals what `partition` holds, because the LSN that follows is in a file: a sealed set has each
    /// LSN of its partition between its first and its last, so none may lie across a file.
    pub(crate) fn seal_before_gap(&self, table: TableId, partition: PartitionId) {
        let found = self.table(table).and_then(|table| table.partition(partition));
        if let Some(partition) = found
            && let Some(sealed) = partition.seal()
        {
            self.hot.sealed_hot(&partition, sealed);
        }
    }

    /// Forgets partitions that nothing is in any more.
    pub(crate) fn remove_empty(&self) {
        for table in self.tables() {
            for partition in table.partitions() {
                table.remove_if_empty(&partition);
            }
        }
    }

    /// Rows and bytes of the whole tree.
    pub(crate) fn size(&self) -> PartitionSize {
        self.totals.size()
    }

    fn table_for(&self, batch: &DurableBatch) -> Arc<TableBuffer> {
        let id = batch.batch.table.id;
        if let Some(known) = self.table(id) {
            return known;
        }
        let mut tables = self.tables.write();
        let table = tables.entry(id).or_insert_with(|| {
            let database: &Arc<DatabaseRef> = &batch.database;
            let table = Arc::clone(&batch.batch.table);
            Arc::new(TableBuffer::new(Arc::clone(database), table, Arc::clone(&self.totals)))
        });
        Arc::clone(table)
    }
}

impl Publish for BufferTree {
    fn publish(&self, batch: DurableBatch) {
        let table = self.table_for(&batch);
        let now = self.clock.monotonic();
        let (partition, size) = table.push(batch, now);
        if size.unsealed_bytes >= self.limits.hot_partition_bytes
            && let Some(sealed) = partition.seal()
        {
            self.hot.sealed_hot(&partition, sealed);
        }
    }
}
