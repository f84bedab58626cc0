//! The moment of a crash that comes beside something: a request between its arrival and its answer,
//! when nothing of it may be durable yet, or a job that is being set aside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::chance::Chance;

/// Counts what happens in one life up to that beside which it ends.
#[derive(Debug)]
pub(crate) struct Moment {
    /// Its number, counted from 1; none if the life ends by other means.
    number: Option<u64>,
    happened: AtomicU64,
    reached: Notify,
}

impl Moment {
    pub(crate) fn beside(number: Option<u64>) -> Arc<Self> {
        Arc::new(Self { number, happened: AtomicU64::new(0), reached: Notify::new() })
    }

    /// It is about to happen once more.
    pub(crate) fn happens(&self) {
        let number = self.happened.fetch_add(1, Ordering::Relaxed) + 1;
        if self.number == Some(number) {
            self.reached.notify_one();
        }
    }

    /// Returns somewhere on the way of what the life is to end beside. One may wait.
    pub(crate) async fn reached(&self, chance: &Chance) {
        self.reached.notified().await;
        for _ in 0..chance.below(12) {
            tokio::task::yield_now().await;
        }
        if chance.one_in(2) {
            tokio::time::sleep(chance.millis(1, 10)).await;
        }
    }
}
