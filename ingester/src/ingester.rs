//! The ingester's public face: one trait, behind which all of it is wired.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use types::seam::{DmlSink, MemoryGate, PersistNow, QueryExec};

use crate::error::Error;
use crate::state::Phase;

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything is in files: the next start replays nothing.
    Completely,
    /// Time was up: what is left is in the log and is replayed at the next start.
    Partly,
}

/// A running ingester.
#[async_trait]
pub trait Ingester: Debug + Send + Sync {
    /// Where writes go.
    fn sink(&self) -> Arc<dyn DmlSink>;

    /// Where requests get memory.
    fn gate(&self) -> Arc<dyn MemoryGate>;

    /// The buffer as queries see it.
    fn buffer(&self) -> Arc<dyn QueryExec>;

    /// Persists on demand.
    fn persist(&self) -> Arc<dyn PersistNow>;

    /// Whether it takes writes and answers queries, or what it does instead.
    fn phase(&self) -> Phase;

    /// Why it refuses every write for now, though it takes writes as such: a full disk, or memory that
    /// nothing can free.
    fn refusing(&self) -> Option<String>;

    /// What works less well than it should, such as an object store that cannot be reached.
    fn degraded(&self) -> Vec<String>;

    /// Returns when something has failed that this process cannot go on from, such as a log that
    /// cannot be replayed.
    async fn failed(&self) -> Arc<Error>;

    /// Refuses new writes, answers those that were appended, and persists what there is, but for no
    /// longer than `within`. Queries are served all along.
    async fn drain(&self, within: Duration) -> Drained;

    /// Seals the log and gives its directory back. Nothing may use the ingester afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] if the log's thread is gone.
    async fn close(&self) -> Result<(), Error>;
}
