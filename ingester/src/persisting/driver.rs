//! Hands sealed sets to the persist actor.

use std::sync::Arc;

use persist::{Demand, PersistHandle, PersistJob};
use types::{Chunk, SharedReservation, Term};

use crate::buffer_tree::{BufferTree, Partition, SealedSet};

/// The term of a log that has always owned its partitions.
const FIRST_TERM: Term = Term::ZERO;

/// The way from the buffer tree to the persist actor.
#[derive(Clone, Debug)]
pub(crate) struct PersistDriver {
    tree: Arc<BufferTree>,
    handle: PersistHandle,
}

impl PersistDriver {
    pub(crate) fn new(tree: Arc<BufferTree>, handle: PersistHandle) -> Self {
        Self { tree, handle }
    }

    pub(crate) fn tree(&self) -> &Arc<BufferTree> {
        &self.tree
    }

    pub(crate) fn handle(&self) -> &PersistHandle {
        &self.handle
    }

    /// Seals `partition` and waits until its job has a permit. The job's end is told to observers.
    pub(crate) async fn persist(&self, partition: &Partition, demand: Demand) {
        if let Some(sealed) = partition.seal() {
            self.submit(partition, sealed, demand).await;
        }
    }

    /// Waits until the job of a sealed set has a permit.
    pub(crate) async fn submit(&self, partition: &Partition, sealed: SealedSet, demand: Demand) {
        let job = PersistJob {
            database: Arc::clone(partition.database()),
            table: Arc::clone(partition.table()),
            key: partition.key().clone(),
            term: FIRST_TERM,
            chunks: sealed.chunks.into_iter().map(lent).collect(),
        };
        // The receipt is for those who wait for one job; completion tells all observers.
        drop(self.handle.enqueue(job, demand).await);
    }

    /// The same, without waiting: the set queues for its permit on a task of its own.
    pub(crate) fn submit_aside(
        &self,
        partition: Arc<Partition>,
        sealed: SealedSet,
        demand: Demand,
    ) {
        let driver = self.clone();
        tokio::spawn(async move { driver.submit(&partition, sealed, demand).await });
    }

    /// Seals all of `partitions` now and lets their jobs queue for permits.
    pub(crate) fn persist_aside(&self, partitions: Vec<Arc<Partition>>, demand: Demand) {
        for partition in partitions {
            if let Some(sealed) = partition.seal() {
                self.submit_aside(partition, sealed, demand);
            }
        }
    }
}

/// A chunk for a job. Its partition accounts for it until the job is settled. From then on it counts
/// as what queries keep, which a job that is about to end must not seem to be.
fn lent(chunk: Chunk) -> Chunk {
    Chunk { memory: SharedReservation::default(), ..chunk }
}
