//! What an operator may choose about the ingester.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Sizes and times of the ingester.
#[derive(Clone, Debug)]
pub struct Config {
    /// The log.
    pub wal: wal::Config,
    /// The persist actor.
    pub persist: persist::Config,
    /// Bytes at which a partition is sealed and persisted at once. Default 64 MiB, less where the
    /// budget is small: see [`Config::hot_partition_size_for`].
    pub hot_partition_size: u64,
    /// Partitions that may be in the buffer. Default 100,000.
    pub buffered_partitions_max: usize,
    /// The age at which a partition's oldest row is persisted. Default 1 h.
    pub persist_max_age: Duration,
    /// How often the log is rotated. Default 300 s.
    pub rotation_period: Duration,
    /// How long a request waits for memory before it is refused. Default 2 s: with the time that
    /// the log may take, an answer comes before a client gives up after five.
    pub admission_wait: Duration,
}

impl Config {
    /// The largest hot partition size, and the default.
    pub const HOT_PARTITION_SIZE: u64 = 64 << 20;

    /// The hot partition size for a memory budget and a number of persist workers: each worker may
    /// hold the rows of a job and as much again while it sorts, and all of them together a quarter
    /// of the budget.
    pub fn hot_partition_size_for(budget: u64, workers: NonZeroUsize) -> u64 {
        (budget / (8 * workers.get() as u64)).clamp(1 << 20, Self::HOT_PARTITION_SIZE)
    }

    /// Bytes that persist jobs need to make progress whatever else is in memory: for each worker
    /// the rows of one largest job gathered, and once more sorted.
    pub(crate) fn persist_floor(&self) -> u64 {
        2 * self.hot_partition_size * self.persist.workers.get() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(budget_mib: u64, workers: usize, size_mib: u64) {
        let workers = NonZeroUsize::new(workers).expect("not zero");
        assert_eq!(Config::hot_partition_size_for(budget_mib << 20, workers), size_mib << 20);
    }

    #[test]
    fn the_hot_size_follows_the_budget() {
        check(12 << 10, 2, 64);
        check(256, 2, 16);
        check(1, 2, 1);
    }
}
