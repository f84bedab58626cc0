//! A catalog in memory, for tests: the same state machine, no log, faults on demand.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::command::Command;
use crate::config::Limits;
use crate::error::Error;
use crate::published::{LocalCatalog, Published};
use crate::snapshot::Snapshot;
use crate::write::{CatalogWrite, Committed};

/// A catalog that forgets everything when it is dropped.
///
/// Faults: [`refuse_next`](Self::refuse_next), [`lose_replies`](Self::lose_replies),
/// [`hang`](Self::hang). They are taken in this order: a command that hangs is refused or loses its
/// reply only when it is released.
#[derive(Debug)]
pub struct MemoryCatalog {
    limits: Limits,
    published: Published,
    faults: Mutex<Faults>,
    hanging: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Faults {
    refuse: usize,
    lose: usize,
}

impl MemoryCatalog {
    /// An empty catalog with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            published: Published::new(Arc::default()),
            faults: Mutex::default(),
            hanging: watch::Sender::new(false),
        }
    }

    /// Refuses the next `commands` with [`Error::Busy`]; nothing of them is kept.
    pub fn refuse_next(&self, commands: usize) {
        self.faults.lock().refuse = commands;
    }

    /// Applies the next `commands` and answers [`Error::Unknown`] all the same.
    pub fn lose_replies(&self, commands: usize) {
        self.faults.lock().lose = commands;
    }

    /// Lets every command wait, before it is judged, until [`release`](Self::release).
    pub fn hang(&self) {
        self.hanging.send_replace(true);
    }

    /// Lets those that hang go on.
    pub fn release(&self) {
        self.hanging.send_replace(false);
    }

    /// Judges, applies and publishes in one step, under the lock of the faults.
    fn commit(&self, command: &Command) -> Result<Committed, Error> {
        let mut faults = self.faults.lock();
        if faults.refuse > 0 {
            faults.refuse -= 1;
            return Err(Error::Busy { reason: "the test asked for it".to_owned() });
        }
        let mut next = Snapshot::clone(&self.published.snapshot());
        let effect = next.apply(command, &self.limits)?;
        let snapshot = Arc::new(next);
        if !effect.is_repeated() {
            self.published.publish(Arc::clone(&snapshot));
        }
        if faults.lose > 0 {
            faults.lose -= 1;
            return Err(Error::Unknown);
        }
        Ok(Committed { version: effect.version(), snapshot, repeated: effect.is_repeated() })
    }
}

impl Default for MemoryCatalog {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl LocalCatalog for MemoryCatalog {
    fn published(&self) -> &Published {
        &self.published
    }
}

#[async_trait]
impl CatalogWrite for MemoryCatalog {
    async fn apply(&self, command: Command) -> Result<Committed, Error> {
        // The sender lives as long as this catalog, so waiting for it cannot fail.
        let released = self.hanging.subscribe().wait_for(|hanging| !hanging).await.is_ok();
        assert!(released, "a catalog in use has its own switch");
        self.commit(&command)
    }
}
