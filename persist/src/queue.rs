//! Unbounded queues behind the permits: one that all workers share, and one for each worker.
//!
//! Each has two lanes: housekeeping is taken up when nothing else waits, so that ten thousand
//! partitions at a rotation stand in nobody's way; but now and then one of it before others, because
//! what waits there may keep the oldest segment of the log.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use types::PartitionId;

use crate::demand::Demand;

/// After so many jobs that somebody waits for, one of housekeeping is taken, if there is one.
const WANTED_IN_A_ROW: u32 = 4;

/// Where a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To whichever worker is free: the job leaves its partition's sort key as it is.
    Global,
    /// To the one worker of its partition: the job may change the sort key, and changes of one key
    /// are made one after another.
    Own(PartitionId),
}

/// The sending side; when it is dropped the workers end after the last job.
#[derive(Debug)]
pub(crate) struct Queues<J> {
    global: Lanes<UnboundedSender<J>>,
    own: Vec<Lanes<UnboundedSender<J>>>,
}

/// The receiving side of one worker.
#[derive(Debug)]
pub(crate) struct WorkerQueue<J> {
    own: Lanes<UnboundedReceiver<J>>,
    global: Lanes<Arc<Mutex<UnboundedReceiver<J>>>>,
    /// Jobs that were taken since the last one of housekeeping.
    wanted_in_a_row: u32,
}

/// The two lanes of a queue.
#[derive(Clone, Debug)]
struct Lanes<T> {
    /// What somebody waits for.
    wanted: T,
    /// What is in no hurry.
    housekeeping: T,
}

fn lanes<J>() -> (Lanes<UnboundedSender<J>>, Lanes<UnboundedReceiver<J>>) {
    let (wanted_sender, wanted) = mpsc::unbounded_channel();
    let (housekeeping_sender, housekeeping) = mpsc::unbounded_channel();
    let senders = Lanes { wanted: wanted_sender, housekeeping: housekeeping_sender };
    (senders, Lanes { wanted, housekeeping })
}

/// The queues of so many workers.
pub(crate) fn queues<J>(workers: NonZeroUsize) -> (Queues<J>, Vec<WorkerQueue<J>>) {
    let (global_senders, global) = lanes();
    let global = Lanes {
        wanted: Arc::new(Mutex::new(global.wanted)),
        housekeeping: Arc::new(Mutex::new(global.housekeeping)),
    };
    let (own, receivers) = (0..workers.get())
        .map(|_| {
            let (senders, own) = lanes();
            let global = global.clone();
            (senders, WorkerQueue { own, global, wanted_in_a_row: 0 })
        })
        .unzip();
    let queues = Queues { global: global_senders, own };
    (queues, receivers)
}

impl<J> Queues<J> {
    /// Queues a job; gives it back if the workers are gone.
    pub(crate) fn send(&self, job: J, route: Route, demand: Demand) -> Result<(), J> {
        let lanes = match route {
            Route::Global => &self.global,
            Route::Own(partition) => &self.own[self.worker_of(partition)],
        };
        let lane = if demand.is_housekeeping() { &lanes.housekeeping } else { &lanes.wanted };
        lane.send(job).map_err(|unsent| unsent.0)
    }

    /// The worker of a partition: ids are hashes, so their remainder is spread evenly, and the same
    /// in each run.
    fn worker_of(&self, partition: PartitionId) -> usize {
        let worker = partition.get() % self.own.len() as u128;
        usize::try_from(worker).unwrap_or_default()
    }
}

impl<J> WorkerQueue<J> {
    /// The next job, from the worker's own queue if there is one, and housekeeping mostly only if
    /// there is no other; nothing when all have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no job.
    pub(crate) async fn next(&mut self) -> Option<J> {
        if self.wanted_in_a_row >= WANTED_IN_A_ROW
            && let Some(job) = self.housekeeping_now()
        {
            self.wanted_in_a_row = 0;
            return Some(job);
        }
        let Self { own, global, wanted_in_a_row } = self;
        // In this order and not by lot, so that a seed replays it. Nobody starves: housekeeping has
        // had its turn above, and what is in the global queue is taken by whichever worker has
        // nothing of its own.
        let (job, is_wanted) = tokio::select! {
            biased;
            Some(job) = own.wanted.recv() => (job, true),
            Some(job) = next_of(&global.wanted) => (job, true),
            Some(job) = own.housekeeping.recv() => (job, false),
            Some(job) = next_of(&global.housekeeping) => (job, false),
            else => return None,
        };
        *wanted_in_a_row = if is_wanted { wanted_in_a_row.saturating_add(1) } else { 0 };
        Some(job)
    }

    /// A job of housekeeping, if one waits. Whoever holds the lock waits for nothing else, and takes
    /// what is there.
    fn housekeeping_now(&mut self) -> Option<J> {
        let own = self.own.housekeeping.try_recv().ok();
        own.or_else(|| self.global.housekeeping.try_lock().ok()?.try_recv().ok())
    }
}

async fn next_of<J>(queue: &Mutex<UnboundedReceiver<J>>) -> Option<J> {
    queue.lock().await.recv().await
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use types::{PartitionKey, TableId};

    use super::*;

    fn partition(table: u64) -> PartitionId {
        PartitionId::of(TableId::new(table), &PartitionKey::of_time(0))
    }

    fn two() -> (Queues<u64>, Vec<WorkerQueue<u64>>) {
        queues(NonZeroUsize::MIN.saturating_add(1))
    }

    fn take_all(queue: &mut WorkerQueue<u64>) -> Vec<u64> {
        std::iter::from_fn(|| queue.next().now_or_never().flatten()).collect()
    }

    #[tokio::test]
    async fn any_worker_takes_from_the_global_queue() {
        let (queues, mut workers) = two();
        for job in 0..4 {
            queues.send(job, Route::Global, Demand::Request).expect("workers live");
        }
        assert_eq!(workers[0].next().await, Some(0));
        assert_eq!(workers[1].next().await, Some(1));
        assert_eq!(take_all(&mut workers[0]), [2, 3]);
    }

    #[tokio::test]
    async fn jobs_of_one_partition_go_to_one_worker_in_order_and_first() {
        let (queues, mut workers) = two();
        queues.send(100, Route::Global, Demand::Request).expect("workers live");
        for job in 0..3 {
            queues.send(job, Route::Own(partition(1)), Demand::Request).expect("workers live");
        }
        let owner = queues.worker_of(partition(1));
        assert_eq!(take_all(&mut workers[owner]), [0, 1, 2, 100]);
        assert!(take_all(&mut workers[1 - owner]).is_empty());
    }

    #[tokio::test]
    async fn housekeeping_is_taken_last_whatever_queue_it_is_in() {
        let (queues, mut workers) = two();
        let own = Route::Own(partition(1));
        for (job, route, demand) in [
            (6, Route::Global, Demand::Age),
            (4, own, Demand::Rotation),
            (5, own, Demand::Age),
            (2, Route::Global, Demand::HotPartition),
            (3, Route::Global, Demand::Shutdown),
            (1, own, Demand::MemoryPressure),
        ] {
            queues.send(job, route, demand).expect("workers live");
        }
        let owner = queues.worker_of(partition(1));
        assert_eq!(take_all(&mut workers[owner]), [1, 2, 3, 4, 5, 6]);
    }

    #[tokio::test]
    async fn housekeeping_has_its_turn_though_others_never_end() {
        let (queues, mut workers) = two();
        queues.send(100, Route::Global, Demand::Age).expect("workers live");
        for job in 0..6 {
            queues.send(job, Route::Global, Demand::HotPartition).expect("workers live");
        }
        assert_eq!(take_all(&mut workers[0]), [0, 1, 2, 3, 100, 4, 5]);
    }

    #[test]
    fn partitions_are_spread_over_the_workers() {
        let (queues, _workers) = queues::<u64>(NonZeroUsize::MIN.saturating_add(3));
        let mut counts = [0; 4];
        for table in 0..1_000 {
            counts[queues.worker_of(partition(table))] += 1;
        }
        assert!(counts.iter().all(|count| *count > 150), "{counts:?}");
    }

    #[tokio::test]
    async fn what_was_queued_is_taken_before_the_end() {
        let (queues, mut workers) = two();
        queues.send(1, Route::Global, Demand::Age).expect("workers live");
        queues.send(2, Route::Own(partition(1)), Demand::Rotation).expect("workers live");
        let owner = queues.worker_of(partition(1));
        drop(queues);
        assert_eq!(workers[owner].next().await, Some(2));
        assert_eq!(workers[1 - owner].next().await, Some(1));
        assert_eq!(workers[0].next().await, None);
        assert_eq!(workers[1].next().await, None);
    }
}
