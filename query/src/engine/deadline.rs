//! The end of a query's time.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::error::Error;

/// When a query has to be over, from its planning to the last row of its answer.
#[derive(Debug)]
pub(super) struct Deadline {
    sleep: Pin<Box<Sleep>>,
    timeout: Duration,
}

impl Deadline {
    /// The time that is `timeout` from now.
    pub(super) fn after(timeout: Duration) -> Self {
        Self { sleep: Box::pin(sleep(timeout)), timeout }
    }

    /// What `work` returns, if it does so in time. Work that is ready at the last moment counts.
    pub(super) async fn limit<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = &mut self.sleep => Err(Error::TimedOut { timeout: self.timeout }),
        }
    }
}
