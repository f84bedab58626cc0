//! The moment of a crash that comes beside a request: between its arrival and its answer, when
//! nothing of it may be durable yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the requests of one life up to the one beside which it ends.
#[derive(Debug)]
pub(crate) struct Moment {
    /// Its number, counted from 1; none if the life ends by other means.
    request: Option<u64>,
    sent: AtomicU64,
    reached: Notify,
}

impl Moment {
    pub(crate) fn beside(request: Option<u64>) -> Arc<Self> {
        Arc::new(Self { request, sent: AtomicU64::new(0), reached: Notify::new() })
    }

    /// A request is about to be sent.
    pub(crate) fn request_sent(&self) {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        if self.request == Some(number) {
            self.reached.notify_one();
        }
    }

    /// Returns once the request is sent. One may wait.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }
}
