//! The end of a query's time.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// The longest timeout, so that no sum of times overflows: 30 years.
const TIMEOUT_MAX: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// When a query has to be over, from its planning to the last row of its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    /// The time that is `timeout` from now.
    pub(super) fn after(timeout: Duration) -> Self {
        Self { at: Instant::now() + timeout.min(TIMEOUT_MAX), timeout }
    }

    /// What `work` returns, if it does so in time. Work that is ready at the last moment counts.
    ///
    /// Work that only computes gives way whenever its share of the thread is used up. Tokio's own
    /// timeouts look at the time even then; a timer that is merely polled after it would find the
    /// share used up too, and never fire.
    pub(super) async fn limit<T>(self, work: impl Future<Output = T>) -> Result<T, Error> {
        let done = timeout_at(self.at, work).await;
        done.map_err(|_| Error::TimedOut { timeout: self.timeout })
    }
}
