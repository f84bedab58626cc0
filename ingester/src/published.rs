//! The published LSN: everything up to it is fsynced and visible. A value that can be watched.

use std::sync::Arc;

use tokio::sync::watch;
use types::Lsn;

/// The published LSN; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct PublishedLsn(Arc<watch::Sender<Lsn>>);

impl PublishedLsn {
    pub(crate) fn new(lsn: Lsn) -> Self {
        Self(Arc::new(watch::Sender::new(lsn)))
    }

    pub(crate) fn get(&self) -> Lsn {
        *self.0.borrow()
    }

    /// Rises to `lsn`; never falls.
    pub(crate) fn raise(&self, lsn: Lsn) {
        self.0.send_if_modified(|published| {
            let rises = *published < lsn;
            *published = (*published).max(lsn);
            rises
        });
    }

    /// Returns once everything up to `lsn` is published.
    pub(crate) async fn reaches(&self, lsn: Lsn) {
        // The sender lives in `self`, so the wait can only end by success.
        let _ = self.0.subscribe().wait_for(|published| *published >= lsn).await;
    }
}
