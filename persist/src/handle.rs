//! The face of the persist actor: cheap to clone, shared by all who have something to persist.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::config::Config;
use crate::context::Context;
use crate::demand::Demand;
use crate::deps::Deps;
use crate::error::Error;
use crate::format::encoder::{Encoder, FileEncoder};
use crate::job::PersistJob;
use crate::metrics::State;
use crate::outcome::Receipt;
use crate::permits::{Permit, Permits};
use crate::queue::{Queues, Route, queues};
use crate::sort_order;
use crate::worker::{QueuedJob, Worker};

/// Takes persist jobs.
///
/// # Topology
///
/// ```text
///                                          ┌──▶ global queue ──┬──▶ worker 0 ──┐
///  enqueue ──▶ permit (one semaphore) ─────┤                   └──▶ worker 1 ──┤──▶ store ──▶ catalog
///              waits here, nowhere else    └──▶ queue of one worker ──▶ ...  ──┘
/// ```
///
/// A job that leaves its partition's sort key alone goes to the global queue, from which every
/// worker takes: any number of jobs of one partition then run in parallel. One that will or may
/// change the key goes to the worker that its partition hashes to, so changes of one key by this
/// process are made one after another; against changes by others the commit is a compare-and-swap.
/// In each queue housekeeping is taken last.
///
/// # Overload
///
/// The permits bound all outstanding jobs, whatever queue they are in. [`is_saturated`] tells when
/// jobs that free memory wait for one; housekeeping has half of the permits and never saturates.
///
/// Dropping the last handle stops the workers at once; [`shutdown`] lets them finish first.
///
/// [`is_saturated`]: PersistHandle::is_saturated
/// [`shutdown`]: PersistHandle::shutdown
#[derive(Clone, Debug)]
pub struct PersistHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    context: Arc<Context>,
    permits: Permits,
    /// Gone once the handle is shut down, which ends the workers after the last job.
    queues: Mutex<Option<Queues<QueuedJob>>>,
    workers: tokio::sync::Mutex<JoinSet<()>>,
    abort: Vec<AbortHandle>,
}

impl PersistHandle {
    /// Starts the workers on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(config: Config, deps: Deps) -> Self {
        let encoder = FileEncoder { row_group_rows: config.row_group_rows.get() };
        Self::with_encoder(config, deps, Arc::new(encoder))
    }

    /// As [`PersistHandle::new`], with another way to encode.
    pub(crate) fn with_encoder(config: Config, deps: Deps, encoder: Arc<dyn Encoder>) -> Self {
        let permits = Permits::new(&config);
        let (senders, receivers) = queues(config.workers);
        let context = Arc::new(Context::new(config, deps, encoder));
        let mut workers = JoinSet::new();
        let abort = receivers
            .into_iter()
            .map(|queue| workers.spawn(Worker::new(&context, queue).run()))
            .collect();
        let shared = Shared {
            context,
            permits,
            queues: Mutex::new(Some(senders)),
            workers: tokio::sync::Mutex::new(workers),
            abort,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Waits for a permit, then queues the job.
    ///
    /// The receipt resolves at once with [`Error::Closed`] if the handle was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it has returned enqueues nothing.
    pub async fn enqueue(&self, job: PersistJob, demand: Demand) -> Receipt {
        match self.shared.permits.acquire(demand).await {
            Ok(permit) => self.queue(job, demand, permit),
            Err(_closed) => Receipt::new().1,
        }
    }

    /// Queues the job if there is a permit for it.
    ///
    /// # Errors
    ///
    /// The job, if there is none or the handle was shut down. For a demand that frees memory, the
    /// former is saturation.
    pub fn try_enqueue(&self, job: PersistJob, demand: Demand) -> Result<Receipt, PersistJob> {
        if self.shared.permits.is_closed() {
            return Err(job);
        }
        match self.shared.permits.try_acquire(demand) {
            Some(permit) => Ok(self.queue(job, demand, permit)),
            None => Err(job),
        }
    }

    fn queue(&self, job: PersistJob, demand: Demand, permit: Permit) -> Receipt {
        let route = self.route(&job);
        let (ended, receipt) = Receipt::new();
        let queued = QueuedJob {
            job: Arc::new(job),
            permit,
            permitted_at: self.shared.context.now(),
            ended,
        };
        self.shared.context.metrics.permitted(demand);
        let queues = self.shared.queues.lock();
        let unsent = match &*queues {
            Some(queues) => queues.send(queued, route, demand).err(),
            None => Some(queued),
        };
        if unsent.is_some() {
            self.shared.context.metrics.queued.dec();
        }
        receipt
    }

    /// The known sort key decides; a partition without files has none yet.
    fn route(&self, job: &PersistJob) -> Route {
        let table = self.shared.context.table_of(job);
        let leaves_key_alone = table.is_some_and(|table| {
            let partition = table.partitions.get(&job.key);
            partition.is_some_and(|known| sort_order::covers(&known.sort_key, &table.schema, job))
        });
        if leaves_key_alone { Route::Global } else { Route::Own(job.partition()) }
    }

    /// True while jobs that free memory wait for permits, and until half are free again.
    pub fn is_saturated(&self) -> bool {
        self.shared.permits.is_saturated()
    }

    /// Saturation, to be waited on.
    pub fn watch_saturation(&self) -> watch::Receiver<bool> {
        self.shared.permits.watch_saturation()
    }

    /// True once it is known that another process owns the log, or another log the prefix of the
    /// store, or that the store keeps nobody from owning it. Jobs then fail with
    /// [`PersistHandle::fenced`], and the process has to stop.
    pub fn is_fenced(&self) -> bool {
        self.shared.context.is_fenced()
    }

    /// Why the process has to stop: [`Error::Fenced`], [`Error::ConditionIgnored`], or
    /// [`Error::OwnedByAnother`], which names both logs. There once [`PersistHandle::is_fenced`].
    pub fn fenced(&self) -> Option<Error> {
        self.shared.context.fenced()
    }

    /// Claims the prefix as the first upload would, so that a test counts only what comes after.
    #[cfg(test)]
    pub(crate) async fn claim_prefix(&self) -> Result<(), Error> {
        self.shared.context.claim_prefix().await
    }

    /// Whether the process has to stop because of another owner, to be waited on.
    pub fn watch_fenced(&self) -> watch::Receiver<bool> {
        self.shared.context.watch_fenced()
    }

    /// Jobs that hold a permit, in a queue or with a worker.
    pub fn outstanding(&self) -> usize {
        self.shared.permits.outstanding()
    }

    /// The numbers at this moment.
    pub fn state(&self) -> State {
        State {
            saturated: self.is_saturated(),
            fenced: self.is_fenced(),
            ..self.shared.context.metrics.state()
        }
    }

    /// Has `registry` scrape the counters, as `forebay_persist_...`.
    pub fn register(&self, registry: &mut Registry) {
        self.shared.context.metrics.register(registry);
    }

    /// Takes no more jobs, and returns when those that have a permit have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops no job; it may be called again. Who cannot wait for a store that is
    /// down calls [`PersistHandle::abort`].
    pub async fn shutdown(&self) {
        self.shared.permits.close();
        drop(self.shared.queues.lock().take());
        let mut workers = self.shared.workers.lock().await;
        while workers.join_next().await.is_some() {}
    }

    /// Takes no more jobs and stops the workers where they are. What they had not committed is in
    /// the log still, to be replayed.
    pub fn abort(&self) {
        self.shared.permits.close();
        drop(self.shared.queues.lock().take());
        for worker in &self.shared.abort {
            worker.abort();
        }
    }
}
