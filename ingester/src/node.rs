//! Wires the parts of an ingester together and keeps them running.

mod endless;
mod start;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use persist::{Demand, PersistHandle};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use types::effect::{Lost, Pool, offload};
use types::fault::{self, Point};
use types::seam::{DmlSink, MemoryGate, PersistNow, QueryExec};

pub use start::{Deps, start};

use crate::dml_sink::admission::Gate;
use crate::error::Error;
use crate::ingester::{Drained, Ingester};
use crate::persisting::on_demand::PersistOnDemand;
use crate::persisting::segment_dropper::SegmentDropper;
use crate::schema_commit::OverdueCommits;
use crate::state::{IngestState, Phase};
use crate::wal_appender::PendingWrite;

/// What has failed, once something has.
type Failure = watch::Sender<Option<Arc<Error>>>;

/// An ingester with its log, buffer and persist actor.
#[derive(Debug)]
struct Node {
    sink: Arc<dyn DmlSink>,
    gate: Arc<Gate>,
    buffer: Arc<dyn QueryExec>,
    on_demand: Arc<PersistOnDemand>,
    persist: PersistHandle,
    state: Arc<IngestState>,
    log: wal::LogHandle<PendingWrite>,
    pool: Arc<dyn Pool>,
    dropper: Arc<SegmentDropper>,
    failure: Arc<Failure>,
    overdue: OverdueCommits,
    /// Triggers, dropper and replay; they end with the node.
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Node {
    /// Persists everything and frees the log of it.
    async fn persist_everything(&self) -> Result<(), Error> {
        self.state.writes_ended().await;
        // Each write that was let in has ended, so it is published or was refused.
        self.on_demand.persist_all(Demand::Shutdown).await;
        let log = self.log.clone();
        blocking(&*self.pool, "rotate the log", move || log.rotate().map(|_| ())).await?;
        self.dropper.drop_free().await?;
        fault::reach(Point::CloseBefore);
        Ok(())
    }
}

#[async_trait]
impl Ingester for Node {
    fn sink(&self) -> Arc<dyn DmlSink> {
        Arc::clone(&self.sink)
    }

    fn gate(&self) -> Arc<dyn MemoryGate> {
        Arc::clone(&self.gate) as Arc<dyn MemoryGate>
    }

    fn buffer(&self) -> Arc<dyn QueryExec> {
        Arc::clone(&self.buffer)
    }

    fn persist(&self) -> Arc<dyn PersistNow> {
        Arc::clone(&self.on_demand) as Arc<dyn PersistNow>
    }

    fn phase(&self) -> Phase {
        self.state.phase()
    }

    fn refusing(&self) -> Option<String> {
        if self.log.state().disk_full {
            return Some("the disk of the log is full".to_owned());
        }
        let persist::State { retrying_store, retrying_catalog, .. } = self.persist.state();
        let stuck = retrying_store + retrying_catalog > 0;
        let full = || "memory is full and nothing can be persisted".to_owned();
        (stuck && self.gate.is_full()).then(full)
    }

    fn degraded(&self) -> Vec<String> {
        let mut degraded = Vec::new();
        if self.persist.is_saturated() {
            degraded.push("persisting is saturated".to_owned());
        }
        let persist::State { retrying_store, retrying_catalog, .. } = self.persist.state();
        if retrying_store > 0 {
            degraded.push(format!("the object store fails: {retrying_store} persist jobs wait"));
        }
        if retrying_catalog > 0 {
            degraded.push(format!(
                "the catalog fails or does not answer: {retrying_catalog} persist jobs wait"
            ));
        }
        let overdue = self.overdue.count();
        if overdue > 0 {
            degraded.push(format!(
                "the catalog does not answer: {overdue} writes with new columns wait"
            ));
        }
        degraded
    }

    async fn failed(&self) -> Arc<Error> {
        let mut failure = self.failure.subscribe();
        loop {
            if let Some(error) = failure.borrow_and_update().as_ref() {
                return Arc::clone(error);
            }
            // The sender lives in `self`, so the wait can only end by a change.
            let _ = failure.changed().await;
        }
    }

    async fn drain(&self, within: Duration) -> Drained {
        let replaying = matches!(self.state.phase(), Phase::Replaying(_));
        self.state.drain();
        if replaying {
            // What is not in files is in the log, where it is safe; the next start reads it.
            return Drained::Partly;
        }
        match tokio::time::timeout(within, self.persist_everything()).await {
            Ok(Ok(())) => Drained::Completely,
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot free the log of what is persisted");
                Drained::Partly
            }
            Err(_) => Drained::Partly,
        }
    }

    async fn close(&self) -> Result<(), Error> {
        // Jobs that a drain had no time for; what they had not committed is in the log.
        self.persist.abort();
        let log = self.log.clone();
        blocking(&*self.pool, "close the log", move || log.close()).await
    }
}

/// Runs what blocks on a thread that may block.
async fn blocking(
    pool: &dyn Pool,
    task: &'static str,
    run: impl FnOnce() -> Result<(), wal::Error> + Send + 'static,
) -> Result<(), Error> {
    let ended = offload(pool, run).await;
    ended.map_err(|Lost| Error::lost(task))?.map_err(Error::Log)
}
