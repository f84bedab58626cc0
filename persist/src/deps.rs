//! What the persist actor is given.

use std::fmt;
use std::sync::Arc;

use catalog::CatalogWrite;
use object_store::ObjectStore;
use types::effect::{Clock, Pool, Randomness};
use types::{Epoch, LogId, Lsn, MemoryBudget};

use crate::outcome::PersistObserver;

/// Effects and neighbours.
#[derive(Clone)]
pub struct Deps {
    /// Where files are committed.
    pub catalog: Arc<dyn CatalogWrite>,
    /// Where files are; its root is the prefix that this log owns.
    pub store: Arc<dyn ObjectStore>,
    /// Measures durations; orders nothing.
    pub clock: Arc<dyn Clock>,
    /// Draws names of files and of commands, and jitter.
    pub randomness: Arc<dyn Randomness>,
    /// Is told of each job that ended.
    pub observer: Arc<dyn PersistObserver>,
    /// The log whose batches are persisted.
    pub log: LogId,
    /// The present opening of the log; every commit carries it.
    pub epoch: Epoch,
    /// How far the log has got; every commit carries it, so that LSNs are never used twice.
    pub published: Arc<dyn Fn() -> Lsn + Send + Sync>,
    /// Where files are sorted and encoded, in one piece each.
    pub cpu: Arc<dyn Pool>,
    /// Accounts for what sorting and encoding hold.
    pub memory: Arc<MemoryBudget>,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps")
            .field("log", &self.log)
            .field("epoch", &self.epoch)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
