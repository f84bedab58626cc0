//! The root that readers see, and those who wait for a newer one.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;
use types::CatalogVersion;

use crate::snapshot::Snapshot;

/// Holds the newest durable root. A reader holds the lock for the clone of one `Arc`.
#[derive(Debug)]
pub(crate) struct Published {
    root: RwLock<Arc<Snapshot>>,
    version: watch::Sender<CatalogVersion>,
}

impl Published {
    /// Begins with `root`.
    pub(crate) fn new(root: Arc<Snapshot>) -> Self {
        let version = watch::Sender::new(root.version());
        Self { root: RwLock::new(root), version }
    }

    /// The newest root.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.root.read())
    }

    /// A receiver of the newest version.
    pub(crate) fn watch(&self) -> watch::Receiver<CatalogVersion> {
        self.version.subscribe()
    }

    /// Shows `root` to readers, then wakes those who wait: whoever hears of a version finds it.
    pub(crate) fn publish(&self, root: Arc<Snapshot>) {
        let version = root.version();
        // The old root is freed outside the lock; it may be the last to hold many nodes.
        let replaced = std::mem::replace(&mut *self.root.write(), root);
        self.version.send_replace(version);
        drop(replaced);
    }
}
