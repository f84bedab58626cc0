//! A worker: takes one job after the other and brings each to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use types::error::panic_text;

use crate::context::Context;
use crate::error::Error;
use crate::job::PersistJob;
use crate::machine::Machine;
use crate::outcome::{Outcome, Settled};
use crate::permits::Permit;
use crate::queue::WorkerQueue;

/// A job with its permit, in a queue.
#[derive(Debug)]
pub(crate) struct QueuedJob {
    pub(crate) job: Arc<PersistJob>,
    pub(crate) permit: Permit,
    pub(crate) permitted_at: Duration,
    pub(crate) ended: oneshot::Sender<Result<Outcome, Error>>,
}

/// A job that a worker has taken.
#[derive(Debug)]
struct TakenJob {
    machine: Machine,
    queued: QueuedJob,
}

impl TakenJob {
    /// The job after its pause.
    async fn paused(mut self) -> Self {
        self.machine.pause().await;
        self
    }
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    context: Arc<Context>,
    queue: WorkerQueue<QueuedJob>,
    /// Jobs that could be neither committed nor set aside: each comes back after its pause, to the
    /// same worker, so that changes of one sort key stay one after another.
    postponed: FuturesUnordered<BoxFuture<'static, TakenJob>>,
}

impl Worker {
    pub(crate) fn new(context: &Arc<Context>, queue: WorkerQueue<QueuedJob>) -> Self {
        Self { context: Arc::clone(context), queue, postponed: FuturesUnordered::new() }
    }

    /// Works until the queues have ended and no job is postponed.
    pub(crate) async fn run(mut self) {
        while let Some(taken) = self.next().await {
            self.context.metrics.queued.dec();
            self.context.metrics.running.inc();
            self.persist(taken).await;
            self.context.metrics.running.dec();
        }
    }

    /// The next job: one whose pause is over, which has waited longest, or one from the queues.
    ///
    /// Always in this order, which a seed replays. The queues do not starve: a job that fails again
    /// pauses again, and those that are postponed hold permits that are counted.
    async fn next(&mut self) -> Option<TakenJob> {
        let Self { context, queue, postponed } = self;
        tokio::select! {
            biased;
            Some(taken) = postponed.next() => Some(taken),
            Some(queued) = queue.next() => {
                let machine = Machine::new(context, Arc::clone(&queued.job));
                Some(TakenJob { machine, queued })
            }
            else => None,
        }
    }

    /// The order at the end of a job: observers (chunks marked, log tracked), metrics, whoever waits
    /// for it, and only then the permit.
    async fn persist(&mut self, mut taken: TakenJob) {
        let Some(outcome) = taken.machine.run().await else {
            // It keeps its permit, and others go on.
            self.context.metrics.queued.inc();
            self.postponed.push(taken.paused().boxed());
            return;
        };
        let QueuedJob { job, permit, permitted_at, ended } = taken.queued;
        // Gives back the memory of what was encoded.
        drop(taken.machine);
        if let Ok(outcome) = &outcome {
            self.settle(&job, outcome);
            let seconds = self.context.seconds_since(permitted_at);
            self.context.metrics.settled(outcome);
            self.context.metrics.job_seconds.observe(seconds);
        }
        // Who asked may have stopped waiting; the job has ended all the same.
        let _ = ended.send(outcome);
        drop(permit);
    }

    fn settle(&self, job: &PersistJob, outcome: &Outcome) {
        let settled = Settled {
            database: Arc::clone(&job.database),
            table: Arc::clone(&job.table),
            partition: job.partition(),
            key: job.key.clone(),
            lsns: job.lsns(),
            outcome: outcome.clone(),
        };
        tracing::debug!(table = %job.table.name, key = %job.key, lsns = %settled.lsns, "persisted");
        let observer = &self.context.deps.observer;
        let told = catch_unwind(AssertUnwindSafe(|| observer.settled(&settled)));
        if let Err(panic) = told {
            // The file is committed, so nothing is lost; the worker has other jobs to bring home.
            let message = panic_text(panic.as_ref());
            tracing::error!(%message, lsns = %settled.lsns, "an observer of a persist job panicked");
        }
    }
}
