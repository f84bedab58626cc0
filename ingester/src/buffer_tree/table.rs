//! The partitions of one table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use types::seam::DurableBatch;
use types::{DatabaseRef, PartitionBatch, PartitionId, TableRef};

use super::partition::{Partition, PartitionSize};
use super::totals::Totals;

/// One table in the buffer.
#[derive(Debug)]
pub(crate) struct TableBuffer {
    database: Arc<DatabaseRef>,
    table: Arc<TableRef>,
    partitions: RwLock<BTreeMap<PartitionId, Arc<Partition>>>,
    /// Of all tables.
    totals: Arc<Totals>,
}

impl TableBuffer {
    pub(crate) fn new(
        database: Arc<DatabaseRef>,
        table: Arc<TableRef>,
        totals: Arc<Totals>,
    ) -> Self {
        Self { database, table, partitions: RwLock::default(), totals }
    }

    pub(crate) fn partition(&self, id: PartitionId) -> Option<Arc<Partition>> {
        self.partitions.read().get(&id).map(Arc::clone)
    }

    /// The partitions in key order.
    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        let mut partitions: Vec<_> = self.partitions.read().values().map(Arc::clone).collect();
        partitions.sort_by(|a, b| a.key().cmp(b.key()));
        partitions
    }

    /// Pushes a batch to its partition and says how large that is now.
    pub(crate) fn push(
        &self,
        mut batch: DurableBatch,
        now: Duration,
    ) -> (Arc<Partition>, PartitionSize) {
        loop {
            let partition = self.partition_for(&batch.batch);
            match partition.push(batch, now) {
                Ok(size) => return (partition, size),
                // It was removed as empty in between; the next one is in the map.
                Err(back) => batch = back,
            }
        }
    }

    fn partition_for(&self, batch: &PartitionBatch) -> Arc<Partition> {
        let id = batch.partition();
        if let Some(known) = self.partition(id) {
            return known;
        }
        let mut partitions = self.partitions.write();
        let partition = partitions.entry(id).or_insert_with(|| {
            self.totals.partition_begun();
            Arc::new(Partition::new(
                Arc::clone(&self.database),
                Arc::clone(&self.table),
                batch.key.clone(),
                Arc::clone(&self.totals),
            ))
        });
        Arc::clone(partition)
    }

    /// Forgets `partition` if nothing is in it, so that old days cost nothing.
    pub(crate) fn remove_if_empty(&self, partition: &Arc<Partition>) {
        let mut partitions = self.partitions.write();
        let id = partition.id();
        let listed = partitions.get(&id).is_some_and(|at| Arc::ptr_eq(at, partition));
        if listed && partition.detach_if_empty() {
            partitions.remove(&id);
            self.totals.partition_forgotten();
        }
    }
}
