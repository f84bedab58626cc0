//! What happens when a persist job has ended.

use std::sync::Arc;

use persist::{Outcome, PersistObserver, Settled};
use tokio::sync::watch;
use types::{LsnRange, PartitionId};

use super::segment_dropper::DropSignal;
use crate::buffer_tree::BufferTree;
use crate::wal_tracker::WalTracker;

/// Counts settled jobs, so that who waits for one misses none.
#[derive(Clone, Debug)]
pub(crate) struct SettledJobs(Arc<watch::Sender<u64>>);

impl SettledJobs {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    fn one_more(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

/// Retires the job's chunks, settles its LSNs, and tells those who wait, in this order: who sees a
/// job as settled finds its rows in the file and its segments free.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) tree: Arc<BufferTree>,
    pub(crate) tracker: Arc<WalTracker>,
    pub(crate) dropper: DropSignal,
    pub(crate) settled: SettledJobs,
}

impl PersistObserver for Completion {
    fn settled(&self, settled: &Settled) {
        let version = match &settled.outcome {
            Outcome::Committed { version, .. } | Outcome::TableDropped { version } => *version,
        };
        let partition = settled.partition;
        self.tree.retire(settled.table.id, partition, settled.lsns, version);
        self.tracker.settled(partition, settled.lsns);
        self.dropper.look();
        self.settled.one_more();
    }

    /// The mistake that is planted: nothing is settled by an upload.
    fn uploaded(&self, partition: PartitionId, lsns: LsnRange) {
        self.tracker.settled(partition, lsns);
        self.dropper.look();
    }
}
