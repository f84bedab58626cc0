//! Unbounded queues behind the permits: one that all workers share, and one for each worker.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use types::PartitionId;

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
    global: UnboundedSender<J>,
    own: Vec<UnboundedSender<J>>,
}

/// The receiving side of one worker.
#[derive(Debug)]
pub(crate) struct WorkerQueue<J> {
    own: UnboundedReceiver<J>,
    global: Arc<Mutex<UnboundedReceiver<J>>>,
}

/// The queues of so many workers.
pub(crate) fn queues<J>(workers: NonZeroUsize) -> (Queues<J>, Vec<WorkerQueue<J>>) {
    let (global_sender, global) = mpsc::unbounded_channel();
    let global = Arc::new(Mutex::new(global));
    let (own, receivers) = (0..workers.get())
        .map(|_| {
            let (sender, own) = mpsc::unbounded_channel();
            let global = Arc::clone(&global);
            (sender, WorkerQueue { own, global })
        })
        .unzip();
    let queues = Queues { global: global_sender, own };
    (queues, receivers)
}

impl<J> Queues<J> {
    /// Queues a job; gives it back if the workers are gone.
    pub(crate) fn send(&self, job: J, route: Route) -> Result<(), J> {
        let queue = match route {
            Route::Global => &self.global,
            Route::Own(partition) => &self.own[self.worker_of(partition)],
        };
        queue.send(job).map_err(|unsent| unsent.0)
    }

    /// The worker of a partition: ids are hashes, so their remainder is spread evenly, and the same
    /// in each run.
    fn worker_of(&self, partition: PartitionId) -> usize {
        let worker = partition.get() % self.own.len() as u128;
        usize::try_from(worker).unwrap_or_default()
    }
}

impl<J> WorkerQueue<J> {
    /// The next job, from the worker's own queue if there is one; nothing when both have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no job.
    pub(crate) async fn next(&mut self) -> Option<J> {
        let Self { own, global } = self;
        tokio::select! {
            biased;
            Some(job) = own.recv() => Some(job),
            Some(job) = next_of(global) => Some(job),
            else => None,
        }
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
            queues.send(job, Route::Global).expect("workers live");
        }
        assert_eq!(workers[0].next().await, Some(0));
        assert_eq!(workers[1].next().await, Some(1));
        assert_eq!(take_all(&mut workers[0]), [2, 3]);
    }

    #[tokio::test]
    async fn jobs_of_one_partition_go_to_one_worker_in_order_and_first() {
        let (queues, mut workers) = two();
        queues.send(100, Route::Global).expect("workers live");
        for job in 0..3 {
            queues.send(job, Route::Own(partition(1))).expect("workers live");
        }
        let owner = queues.worker_of(partition(1));
        assert_eq!(take_all(&mut workers[owner]), [0, 1, 2, 100]);
        assert!(take_all(&mut workers[1 - owner]).is_empty());
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
        queues.send(1, Route::Global).expect("workers live");
        queues.send(2, Route::Own(partition(1))).expect("workers live");
        let owner = queues.worker_of(partition(1));
        drop(queues);
        assert_eq!(workers[owner].next().await, Some(2));
        assert_eq!(workers[1 - owner].next().await, Some(1));
        assert_eq!(workers[0].next().await, None);
        assert_eq!(workers[1].next().await, None);
    }
}
