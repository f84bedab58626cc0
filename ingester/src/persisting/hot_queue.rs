//! Hot partitions on their way from the publisher, which must not wait, to the persist actor.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::buffer_tree::{HotPartitionObserver, Partition, SealedSet};

/// A partition that was sealed because it reached the hot size.
#[derive(Debug)]
pub(crate) struct HotPartition {
    pub(crate) partition: Arc<Partition>,
    pub(crate) sealed: SealedSet,
}

/// The publisher's end. Unbounded: what queues here is in memory already and bounded with it.
#[derive(Clone, Debug)]
pub(crate) struct HotQueue(mpsc::UnboundedSender<HotPartition>);

impl HotQueue {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<HotPartition>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl HotPartitionObserver for HotQueue {
    fn sealed_hot(&self, partition: &Arc<Partition>, sealed: SealedSet) {
        // With nobody left to receive, the process ends and the log is replayed.
        let _ = self.0.send(HotPartition { partition: Arc::clone(partition), sealed });
    }
}
