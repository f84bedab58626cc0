//! The root that readers see, and those who wait for a newer one.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use tokio::sync::watch;
use types::CatalogVersion;

use crate::error::Error;
use crate::read::CatalogRead;
use crate::snapshot::Snapshot;

/// Holds the newest durable root. A reader holds the lock for the clone of one `Arc`.
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

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.snapshot().version();
        f.debug_struct("Published").field("version", &version).finish_non_exhaustive()
    }
}

/// A catalog whose commands all go through this process, and are published before they are answered:
/// what is published is all that there is to read.
pub(crate) trait LocalCatalog: fmt::Debug + Send + Sync {
    /// Its newest root.
    fn published(&self) -> &Published;
}

#[async_trait]
impl<C: LocalCatalog> CatalogRead for C {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.published().snapshot()
    }

    async fn refresh(&self) -> Result<Arc<Snapshot>, Error> {
        Ok(self.snapshot())
    }

    fn watch(&self) -> watch::Receiver<CatalogVersion> {
        self.published().watch()
    }
}
