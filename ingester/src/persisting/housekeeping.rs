//! Housekeeping: partitions that age or rotation wants persisted, one after the other.
//!
//! A trigger names a partition and goes on; only the queue waits for permits. So with a store that
//! is down the log is rotated all the same, and ten thousand partitions at a rotation are ten
//! thousand entries here, not ten thousand jobs.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use persist::Demand;
use tokio::sync::Notify;
use types::PartitionId;

use super::driver::PersistDriver;
use crate::buffer_tree::Partition;

/// The partitions that wait for their turn, each once.
#[derive(Debug, Default)]
pub(crate) struct Housekeeping {
    waiting: Mutex<Waiting>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    turns: VecDeque<(Arc<Partition>, Demand)>,
    ids: BTreeSet<PartitionId>,
}

impl Housekeeping {
    /// Has `partition` persisted when its turn comes; nothing new if it waits already.
    pub(crate) fn ask(&self, partition: Arc<Partition>, demand: Demand) {
        let mut waiting = self.waiting.lock();
        if waiting.ids.insert(partition.id()) {
            waiting.turns.push_back((partition, demand));
            self.asked.notify_one();
        }
    }

    /// Persists whatever is asked for, for ever. A partition is sealed at its turn, with all that
    /// came to it while it waited.
    pub(crate) async fn run(self: Arc<Self>, driver: PersistDriver) {
        loop {
            let (partition, demand) = self.next().await;
            driver.persist(&partition, demand).await;
        }
    }

    async fn next(&self) -> (Arc<Partition>, Demand) {
        loop {
            if let Some(turn) = self.take() {
                return turn;
            }
            self.asked.notified().await;
        }
    }

    fn take(&self) -> Option<(Arc<Partition>, Demand)> {
        let mut waiting = self.waiting.lock();
        let (partition, demand) = waiting.turns.pop_front()?;
        waiting.ids.remove(&partition.id());
        Some((partition, demand))
    }
}

#[cfg(test)]
mod tests {
    use types::PartitionKey;

    use super::*;
    use crate::tests::fixture::{database, table};

    fn partition(day: i64) -> Arc<Partition> {
        let key = PartitionKey::of_day(day);
        Arc::new(Partition::new(database(), table("cpu", 1), key, Arc::default()))
    }

    #[tokio::test]
    async fn each_partition_waits_once_and_in_the_order_of_the_first_asking() {
        let housekeeping = Housekeeping::default();
        let (first, second) = (partition(1), partition(2));
        housekeeping.ask(Arc::clone(&second), Demand::Age);
        housekeeping.ask(Arc::clone(&first), Demand::Rotation);
        housekeeping.ask(Arc::clone(&second), Demand::Rotation);
        let (turn, demand) = housekeeping.next().await;
        assert_eq!((turn.id(), demand), (second.id(), Demand::Age));
        housekeeping.ask(Arc::clone(&second), Demand::Rotation);
        assert_eq!(housekeeping.next().await.0.id(), first.id());
        assert_eq!(housekeeping.next().await.0.id(), second.id(), "it was asked for again");
        assert!(housekeeping.take().is_none());
    }
}
