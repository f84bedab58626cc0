//! The one thread that judges commands and makes them durable.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use types::Lsn;
use types::effect::DirLock;
use types::fault::{self, Point};

use crate::config::{Config, Limits};
use crate::embedded::archivist::{Archive, Archivist};
use crate::embedded::batch::{Batch, Pending};
use crate::embedded::durable_log::{DurableLog, Outcome};
use crate::embedded::opening::Opened;
use crate::embedded::thread;
use crate::error::Error;
use crate::published::Published;
use crate::snapshot::Snapshot;

/// What the worker is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// A command; boxed, because an end is small.
    Apply(Box<Pending>),
    /// The end, behind all that was queued before it.
    Close(Sender<Result<(), Error>>),
}

/// The worker.
///
/// ```text
///   recv ─▶ judge each queued command against the newest state ─▶ append one frame, wait
///    ▲                                                               │ durable: publish, answer
///    └───────────────────────────────────────────────────────────────┘ refused: answer busy
/// ```
///
/// What is queued while it waits for the disk is the next frame.
#[derive(Debug)]
pub(super) struct Worker {
    limits: Limits,
    root: Arc<Snapshot>,
    published: Arc<Published>,
    requests: Receiver<Request>,
    log: DurableLog,
    archive: Archive,
    lock: Box<dyn DirLock>,
}

impl Worker {
    /// Starts the worker and the archivist behind it.
    pub(super) fn start(
        opened: Opened,
        config: &Config,
        deps: wal::Deps,
        (requests, published): (Receiver<Request>, Arc<Published>),
    ) -> Result<(), Error> {
        let Opened { root, log, snapshots, snapshot_len, replayed_bytes, lock } = opened;
        let fatal = Arc::clone(&deps.fatal);
        let archivist = Archivist::new(snapshots, log.handle().clone(), deps, snapshot_len);
        let after_bytes = config.snapshot_after_bytes;
        let archive = Archive::start(archivist, after_bytes, replayed_bytes)?;
        let limits = config.limits;
        let worker = Self { limits, root, published, requests, log, archive, lock };
        thread::start("catalog", &fatal, move || worker.run()).map(drop)
    }

    fn run(mut self) {
        while let Ok(request) = self.requests.recv() {
            let closing = match request {
                Request::Apply(first) => {
                    let (batch, closing) = self.gather(*first);
                    if self.settle(batch).is_break() {
                        return;
                    }
                    closing
                }
                Request::Close(answer) => Some(answer),
            };
            if let Some(answer) = closing {
                let closed = self.close();
                // Whoever asked may have gone away.
                let _ = answer.send(closed);
                return;
            }
        }
    }

    /// Judges `first` and what is queued behind it, up to a request to close.
    fn gather(&self, first: Pending) -> (Batch, Option<Sender<Result<(), Error>>>) {
        let mut batch = Batch::on(&self.root);
        batch.judge(first, &self.limits);
        while batch.has_room() {
            match self.requests.try_recv() {
                Ok(Request::Apply(pending)) => batch.judge(*pending, &self.limits),
                Ok(Request::Close(answer)) => return (batch, Some(answer)),
                Err(_) => break,
            }
        }
        (batch, None)
    }

    /// Makes a batch durable, publishes it and answers. Breaks if the log is gone: then nobody knows
    /// what the newest state is.
    fn settle(&mut self, mut batch: Batch) -> ControlFlow<()> {
        if batch.is_empty() {
            return ControlFlow::Continue(());
        }
        match self.log.append(batch.take_record()) {
            Outcome::Durable { lsns, bytes } => {
                let version = batch.next().version();
                let last = Lsn::new(version.get());
                assert_eq!(lsns.last(), last, "the catalog's version is the LSN of its log");
                let (root, answers) = batch.into_durable();
                self.root = root;
                self.published.publish(Arc::clone(&self.root));
                fault::reach(Point::AnswerBefore);
                answers.give(&self.root);
                self.archive.grown(bytes, &self.root);
                ControlFlow::Continue(())
            }
            Outcome::Refused { reason } => {
                tracing::warn!(reason, "the catalog's log refused a commit");
                batch.fail(|| Error::Busy { reason: reason.clone() });
                ControlFlow::Continue(())
            }
            Outcome::Lost => {
                batch.fail(|| Error::Unknown);
                ControlFlow::Break(())
            }
        }
    }

    /// Takes the last snapshot and closes the log; the directory is free when this returns.
    fn close(self) -> Result<(), Error> {
        let Self { root, log, archive, lock, .. } = self;
        archive.finish(&root);
        let closed = log.handle().close();
        tracing::info!(version = root.version().get(), "the catalog is closed");
        drop(lock);
        Ok(closed?)
    }
}
