//! The way back: an object that no file will name is removed before another is made.

use object_store::ObjectStoreExt;
use object_store::path::Path;
use types::SortKey;

use super::retry::{Dependency, within};
use super::{Machine, Stage};
use crate::error::Error;

impl Machine {
    /// Waits until the store answers whether the object is there, and removes it.
    ///
    /// Only a store that answers is worth another encoding: while it is down, no core sorts the same
    /// rows again and again.
    pub(super) async fn clear(&mut self, path: Path, known: Option<SortKey>) -> Stage {
        loop {
            if self.context.is_fenced() {
                break;
            }
            match self.is_there(&path).await {
                Ok(false) => break,
                Ok(true) => {
                    self.discard(&path).await;
                    break;
                }
                Err(error) => self.retry.failed(Dependency::Store, &error).await,
            }
        }
        Stage::Encode { known }
    }

    async fn is_there(&self, path: &Path) -> Result<bool, Error> {
        let look = self.context.deps.store.head(path);
        match within(self.context.config.attempt_timeout, look).await {
            None => Err(Error::StoreTimedOut { path: path.clone() }),
            Some(Ok(_)) => Ok(true),
            Some(Err(object_store::Error::NotFound { .. })) => Ok(false),
            Some(Err(error)) => Err(Error::store(path)(error)),
        }
    }
}
