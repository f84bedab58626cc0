//! How fast something that is full empties, told by how full it is at each refusal.

use std::mem;
use std::time::Duration;

use parking_lot::Mutex;

use super::retry::RetryTimes;

/// Watches something that takes nothing more. While it is full little is added to it, so what it
/// holds less than at the refusal before is what has left it since.
#[derive(Debug)]
pub(crate) struct Emptying {
    retry: RetryTimes,
    /// At the last refusal.
    held: Mutex<u64>,
}

impl Emptying {
    pub(crate) const fn new(retry: RetryTimes) -> Self {
        Self { retry, held: Mutex::new(0) }
    }

    /// When `excess` of the `held` will have left.
    pub(crate) fn after_losing(&self, held: u64, excess: u64) -> Duration {
        let before = mem::replace(&mut *self.held.lock(), held);
        let lost = before.saturating_sub(held);
        if lost > 0 {
            self.retry.freed(lost);
        }
        self.retry.after_freeing(excess)
    }

    /// Where nothing is known.
    pub(crate) fn soon(&self) -> Duration {
        self.retry.soon()
    }
}
