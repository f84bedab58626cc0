//! What all workers of one handle share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use catalog::Table;
use object_store::path::Path;
use tokio::sync::{OnceCell, watch};
use tokio::time::timeout;
use types::LogId;

use crate::config::Config;
use crate::deps::Deps;
use crate::error::Error;
use crate::format::encoder::Encoder;
use crate::format::provenance::Origin;
use crate::job::PersistJob;
use crate::large_jobs::LargeJobs;
use crate::metrics::Metrics;
use crate::store;

/// Configuration, neighbours and counters.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) encoder: Arc<dyn Encoder>,
    pub(crate) metrics: Metrics,
    /// Whose turn it is to be encoded.
    pub(crate) large_jobs: LargeJobs,
    /// Set once the prefix is known to be this log's: asked before the first upload, not at the
    /// start, because a node starts and takes writes also while its store is down.
    prefix_claimed: OnceCell<()>,
    /// Set before `fenced` turns true.
    fenced_by: OnceLock<Fence>,
    fenced: watch::Sender<bool>,
}

/// Why this process may not persist any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// The log was opened again, by another process.
    Epoch,
    /// The prefix of the store belongs to another log.
    Prefix {
        /// Whose it is.
        owner: LogId,
    },
    /// The store cannot tell whose the prefix is.
    ConditionIgnored,
}

impl Context {
    pub(crate) fn new(config: Config, deps: Deps, encoder: Arc<dyn Encoder>) -> Self {
        let large_jobs = LargeJobs::new(config.usual_job_bytes, config.large_jobs_bytes);
        Self {
            config,
            deps,
            encoder,
            metrics: Metrics::default(),
            large_jobs,
            prefix_claimed: OnceCell::new(),
            fenced_by: OnceLock::new(),
            fenced: watch::Sender::new(false),
        }
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

    /// Makes this log the owner of the prefix, once a process; those who come meanwhile wait for
    /// the answer, and try for themselves if there was none.
    ///
    /// # Errors
    ///
    /// [`Error::OwnedByAnother`] and [`Error::ConditionIgnored`], after which nothing more is tried;
    /// others may pass.
    pub(crate) async fn claim_prefix(&self) -> Result<(), Error> {
        let claimed = self.prefix_claimed.get_or_try_init(|| self.claim_prefix_once()).await;
        match &claimed {
            Err(Error::OwnedByAnother { owner, .. }) => self.fence(Fence::Prefix { owner: *owner }),
            Err(Error::ConditionIgnored { .. }) => self.fence(Fence::ConditionIgnored),
            _ => {}
        }
        claimed.copied()
    }

    async fn claim_prefix_once(&self) -> Result<(), Error> {
        let claim = store::claim(self.deps.store.as_ref(), self.deps.log);
        let answer = timeout(self.config.attempt_timeout, claim).await;
        let answer =
            answer.unwrap_or_else(|_| Err(Error::StoreTimedOut { path: Path::from(store::OWNER) }));
        if matches!(answer, Err(Error::ConditionIgnored { .. })) {
            // The verdict stands, whatever comes of this.
            let taken_back = store::withdraw(self.deps.store.as_ref(), self.deps.log);
            let _ = timeout(self.config.attempt_timeout, taken_back).await;
        }
        answer
    }

    /// Another process owns the log or the prefix, or may own it: nothing more is tried.
    pub(crate) fn fence(&self, by: Fence) {
        // The first reason stands.
        if self.fenced_by.set(by).is_err() {
            return;
        }
        self.fenced.send_replace(true);
        let (log, epoch) = (self.deps.log, self.deps.epoch);
        match by {
            Fence::Epoch => {
                tracing::error!(%log, %epoch, "another process owns the log, persisting stops");
            }
            Fence::Prefix { owner } => tracing::error!(
                %log, %owner,
                "another log owns the prefix of the object store, persisting stops"
            ),
            Fence::ConditionIgnored => tracing::error!(
                %log,
                "the object store does not keep two logs from owning one prefix, persisting stops"
            ),
        }
    }

    /// The error of all that is asked for from now on, if nothing more is tried.
    pub(crate) fn fenced(&self) -> Option<Error> {
        Some(match self.fenced_by.get()? {
            Fence::Epoch => Error::Fenced,
            Fence::Prefix { owner } => Error::OwnedByAnother {
                path: Path::from(store::OWNER),
                owner: *owner,
                log: self.deps.log,
            },
            Fence::ConditionIgnored => Error::ConditionIgnored { path: Path::from(store::OWNER) },
        })
    }

    pub(crate) fn is_fenced(&self) -> bool {
        *self.fenced.borrow()
    }

    pub(crate) fn watch_fenced(&self) -> watch::Receiver<bool> {
        self.fenced.subscribe()
    }
}
