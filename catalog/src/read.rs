//! The catalog for those who may only read it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use types::CatalogVersion;

use crate::error::Error;
use crate::snapshot::Snapshot;

/// Reads the catalog. Code that holds only this cannot name a write.
#[async_trait]
pub trait CatalogRead: Debug + Send + Sync {
    /// The newest version that is known here, without waiting. It is durable, and a command that
    /// was answered here is in it.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// A version at least as new as any that was answered, here or elsewhere, before this call.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if the catalog cannot be asked now.
    async fn refresh(&self) -> Result<Arc<Snapshot>, Error>;

    /// The newest version that is known here, to be waited on. When it says V, [`snapshot`]
    /// returns V or newer.
    ///
    /// [`snapshot`]: CatalogRead::snapshot
    fn watch(&self) -> watch::Receiver<CatalogVersion>;
}
