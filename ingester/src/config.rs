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

    /// Bytes that the rows of one request in one partition may have for its job to be encoded
    /// beside full jobs of all other workers. Where a request has more, its job may pass the floor
    /// by twice what it has more, gathered and sorted, and is the only one then: a floor for the
    /// largest request of all would leave half of the memory unused all the time.
    fn request_bytes_beside(budget: u64) -> u64 {
        (budget / 32).min(Self::HOT_PARTITION_SIZE)
    }

    /// Bytes that persist jobs need to make progress whatever else is in memory: for each worker
    /// the rows of one hot partition gathered, and once more sorted, and as much for the request
    /// that made one of them hot.
    pub(crate) fn persist_floor(&self, budget: u64) -> u64 {
        let hot = self.hot_partition_size * self.persist.workers.get() as u64;
        2 * (hot + Self::request_bytes_beside(budget))
    }

    /// The persist actor's configuration, which keeps it within its floor.
    pub(crate) fn persist_within_floor(&self, budget: u64) -> persist::Config {
        persist::Config {
            usual_job_bytes: self.hot_partition_size,
            large_jobs_bytes: Self::request_bytes_beside(budget),
            ..self.persist.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(budget_mib: u64, workers: usize, size_mib: u64) {
        let workers = NonZeroUsize::new(workers).expect("not zero");
        assert_eq!(Config::hot_partition_size_for(budget_mib << 20, workers), size_mib << 20);
    }

    /// The share of requests and the buffer, and the floor of persist jobs, in MiB.
    fn shares(budget_mib: u64, workers: usize) -> (u64, u64) {
        let workers = NonZeroUsize::new(workers).expect("not zero");
        let budget = budget_mib << 20;
        let config = Config {
            wal: wal::Config::default(),
            persist: persist::Config::for_cores(workers),
            hot_partition_size: Config::hot_partition_size_for(budget, workers),
            buffered_partitions_max: 100_000,
            persist_max_age: Duration::from_secs(3_600),
            rotation_period: Duration::from_secs(300),
            admission_wait: Duration::from_secs(2),
        };
        let within = config.persist_within_floor(budget);
        let usual = within.usual_job_bytes * workers.get() as u64;
        let floor = config.persist_floor(budget);
        assert_eq!(floor, 2 * (usual + within.large_jobs_bytes), "what jobs may hold at once");
        ((budget - budget / 4 - floor) >> 20, floor >> 20)
    }

    #[test]
    fn the_floor_of_persist_jobs_has_the_request_that_makes_a_partition_hot() {
        assert_eq!(shares(64, 8), (28, 20));
        assert_eq!(shares(256, 2), (112, 80));
        assert_eq!(shares(8 << 10, 8), (5_120 - 128, 1_024 + 128));
    }

    #[test]
    fn the_hot_size_follows_the_budget() {
        check(12 << 10, 2, 64);
        check(256, 2, 16);
        check(1, 2, 1);
    }
}
