//! The edge itself: checks writes against the catalog, hands them to the sink, and checks again
//! when a table's columns have changed meanwhile.

mod answer_by;
mod arrow;
mod cpu;
mod database;
mod lines;

use std::sync::Arc;
use std::time::Duration;

use catalog::CatalogWrite;
use prometheus_client::registry::Registry;
use types::effect::{Clock, Pool, Randomness};
use types::seam::{DmlError, DmlSink, MemoryGate, PersistNow};
use types::{BatchId, DatabaseName, Position, Write};

pub use answer_by::AnswerBy;
pub use arrow::{ArrowTable, ArrowWrite};
pub(crate) use cpu::on_cpu;
pub(crate) use lines::{LineWrite, Written};

use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::plan::{Planned, View};

/// How often a request is checked at most. Each further check means that another request has just
/// changed the same table's columns, and columns are new only once.
const CHECKS_MAX: usize = 8;

/// What the edge works with.
#[derive(Debug)]
pub struct Deps {
    /// Read for checks; only `CREATE DATABASE` writes to it.
    pub catalog: Arc<dyn CatalogWrite>,
    /// Takes the writes.
    pub sink: Arc<dyn DmlSink>,
    /// Hands out memory for requests.
    pub gate: Arc<dyn MemoryGate>,
    /// Persists on demand.
    pub persist: Arc<dyn PersistNow>,
    /// The time of lines that have none.
    pub clock: Arc<dyn Clock>,
    /// The ids of new databases, tables and requests.
    pub randomness: Arc<dyn Randomness>,
    /// Where requests are parsed that take long.
    pub pool: Arc<dyn Pool>,
}

/// The edge; all its doors (HTTP, gRPC) share one.
#[derive(Debug)]
pub struct Edge {
    config: Config,
    deps: Deps,
    metrics: Metrics,
}

impl Edge {
    /// Makes the edge and registers its metrics. `config` has been validated.
    pub fn new(config: Config, deps: Deps, registry: &mut Registry) -> Arc<Self> {
        Arc::new(Self { config, deps, metrics: Metrics::new(registry) })
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn deps(&self) -> &Deps {
        &self.deps
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// When a client that is told of `error` should come back, if that can help.
    pub(crate) fn retry_after(&self, error: &Error) -> Option<Duration> {
        match error {
            Error::NoMemory { bytes } => Some(self.deps.gate.retry_after(*bytes)),
            other => other.retry_after(),
        }
    }

    /// The newest version of `database` that is known here.
    fn view(&self, database: &DatabaseName) -> View {
        View::new(&self.deps.catalog.snapshot(), database.clone())
    }

    /// Applies what was planned; nothing if it has to be planned again, against the newest version
    /// of the catalog, which is here then.
    async fn apply(
        &self,
        planned: Planned,
        id: BatchId,
        answer_by: AnswerBy,
    ) -> Result<Option<Position>, Error> {
        let write = Write {
            database: planned.database,
            batches: planned.batches,
            schema_change: planned.schema_change,
            batch_id: id,
            memory: planned.memory,
        };
        let applying = self.deps.sink.apply(write);
        match answer_by.limit(&*self.deps.gate, applying).await {
            Ok(position) => Ok(Some(position)),
            Err(DmlError::SchemaChanged) => {
                self.metrics.recheck();
                self.deps.catalog.refresh().await?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
