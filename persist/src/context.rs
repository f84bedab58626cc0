//! What all workers of one handle share.

use std::sync::Arc;
use std::time::Duration;

use catalog::Table;
use tokio::sync::watch;

use crate::config::Config;
use crate::cpu_pool::CpuPool;
use crate::deps::Deps;
use crate::error::Error;
use crate::format::encoder::Encoder;
use crate::format::provenance::Origin;
use crate::job::PersistJob;
use crate::metrics::Metrics;

/// Configuration, neighbours, threads and counters.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) cpu: CpuPool,
    pub(crate) encoder: Arc<dyn Encoder>,
    pub(crate) metrics: Metrics,
    fenced: watch::Sender<bool>,
}

impl Context {
    pub(crate) fn new(
        config: Config,
        deps: Deps,
        encoder: Arc<dyn Encoder>,
    ) -> Result<Self, Error> {
        Ok(Self {
            cpu: CpuPool::start(config.workers)?,
            config,
            deps,
            encoder,
            metrics: Metrics::default(),
            fenced: watch::Sender::new(false),
        })
    }

    /// The log and the epoch that each file and each commit carries.
    pub(crate) fn origin(&self) -> Origin {
        Origin { log: self.deps.log, epoch: self.deps.epoch }
    }

    /// Time since some fixed moment.
    pub(crate) fn now(&self) -> Duration {
        self.deps.clock.monotonic()
    }

    /// Seconds since the moment `begin`, as histograms have them.
    pub(crate) fn seconds_since(&self, begin: Duration) -> f64 {
        self.now().saturating_sub(begin).as_secs_f64()
    }

    /// The catalog's newest known version of the job's table.
    pub(crate) fn table_of(&self, job: &PersistJob) -> Option<Arc<Table>> {
        let snapshot = self.deps.catalog.snapshot();
        let (_, table) = snapshot.table_by_id(job.table.id)?;
        Some(Arc::clone(table))
    }

    /// The catalog said that another process owns the log: nothing more is tried.
    pub(crate) fn fence(&self) {
        if !self.fenced.send_replace(true) {
            let (log, epoch) = (self.deps.log, self.deps.epoch);
            tracing::error!(%log, %epoch, "another process owns the log, persisting stops");
        }
    }

    pub(crate) fn is_fenced(&self) -> bool {
        *self.fenced.borrow()
    }

    pub(crate) fn watch_fenced(&self) -> watch::Receiver<bool> {
        self.fenced.subscribe()
    }
}
