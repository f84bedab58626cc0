//! What an operator may choose about persisting.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Sizes and times of the persist actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Jobs that run at once; as many threads that sort and encode have something to do. Default:
    /// the cores of the machine.
    pub workers: NonZeroUsize,
    /// Bytes of rows of a job of the usual size: as many may be encoded by each worker at any time.
    /// Default 64 MiB.
    pub usual_job_bytes: u64,
    /// Bytes of rows that all jobs which are encoded at once may have beyond the usual size; a job
    /// that has more is encoded while no other has any. Default 64 MiB.
    pub large_jobs_bytes: u64,
    /// Jobs outstanding at once, whatever queue they are in. Default 250.
    pub queue_depth: NonZeroUsize,
    /// Rows of one row group of a Parquet file: what the encoder holds in memory beside its output.
    /// Default 131,072: larger ones were measured to be no smaller on disk and no faster to write,
    /// and a reader can skip less.
    pub row_group_rows: NonZeroUsize,
    /// Failures of a job's own (never of the store or the catalog) before its chunks are set aside.
    /// Default 3.
    pub attempts_before_quarantine: NonZeroUsize,
    /// Upper bound of the first wait after a failure. Default 50 ms.
    pub retry_backoff_min: Duration,
    /// Upper bound of any wait after a failure. Default 5 s.
    pub retry_backoff_max: Duration,
    /// How long one call of the store or the catalog may take before it is given up and made
    /// again. It bounds the age at which an object that no file names is garbage. Default 300 s.
    pub attempt_timeout: Duration,
}

impl Config {
    /// The defaults, for a machine with so many cores.
    pub const fn for_cores(cores: NonZeroUsize) -> Self {
        Self {
            workers: cores,
            usual_job_bytes: 64 << 20,
            large_jobs_bytes: 64 << 20,
            queue_depth: NonZeroUsize::MIN.saturating_add(249),
            row_group_rows: NonZeroUsize::MIN.saturating_add((128 << 10) - 1),
            attempts_before_quarantine: NonZeroUsize::MIN.saturating_add(2),
            retry_backoff_min: Duration::from_millis(50),
            retry_backoff_max: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(300),
        }
    }

    /// Permits that housekeeping may hold at once: half of all, at least one.
    pub(crate) fn housekeeping_depth(&self) -> usize {
        (self.queue_depth.get() / 2).max(1)
    }
}
