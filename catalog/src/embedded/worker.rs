//! The one thread that judges commands and makes them durable.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use types::Lsn;
use types::effect::{self, DirLock, Progress};
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

/// Where the answer to a request to close goes.
type Closing = Sender<Result<(), Error>>;

/// What the worker is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// A command; boxed, because an end is small.
    Apply(Box<Pending>),
    /// The end, behind all that was queued before it.
    Close(Closing),
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
    /// What came while the thread waited.
    arrived: Option<Request>,
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
        let (threads, fatal) = (Arc::clone(&deps.threads), Arc::clone(&deps.fatal));
        let archivist = Archivist::new(snapshots, log.handle().clone(), deps, snapshot_len);
        let after_bytes = config.snapshot_after_bytes;
        let archive = Archive::start(archivist, after_bytes, replayed_bytes)?;
        let limits = config.limits;
        let arrived = None;
        let worker = Self { limits, root, published, requests, arrived, log, archive, lock };
        thread::start(threads.as_ref(), "catalog", &fatal, Turns(Some(worker))).map(drop)
    }

    /// The next request, if there is one.
    fn next_request(&mut self) -> Result<Request, TryRecvError> {
        self.arrived.take().map_or_else(|| self.requests.try_recv(), Ok)
    }

    /// Does what is asked, and what is queued behind it. Breaks at the end, with whoever asked for
    /// it, if somebody did.
    fn serve(&mut self, request: Request) -> ControlFlow<Option<Closing>> {
        let closing = match request {
            Request::Apply(first) => {
                let (batch, closing) = self.gather(*first);
                if self.settle(batch).is_break() {
                    return ControlFlow::Break(None);
                }
                closing
            }
            Request::Close(answer) => Some(answer),
        };
        match closing {
            Some(answer) => ControlFlow::Break(Some(answer)),
            None => ControlFlow::Continue(()),
        }
    }

    /// Judges `first` and what is queued behind it, up to a request to close.
    fn gather(&self, first: Pending) -> (Batch, Option<Closing>) {
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

/// The worker as its thread steps it; nothing once it has ended.
#[derive(Debug)]
struct Turns(Option<Worker>);

impl effect::Worker for Turns {
    fn step(&mut self) -> Progress {
        let Some(worker) = &mut self.0 else { return Progress::Ended };
        let closing = match worker.next_request() {
            Ok(request) => match worker.serve(request) {
                ControlFlow::Continue(()) => return Progress::Worked,
                ControlFlow::Break(closing) => closing,
            },
            Err(TryRecvError::Empty) => return Progress::Idle(None),
            // The catalog was dropped.
            Err(TryRecvError::Disconnected) => None,
        };
        let ended = self.0.take();
        if let (Some(worker), Some(answer)) = (ended, closing) {
            let closed = worker.close();
            // Whoever asked may have gone away.
            let _ = answer.send(closed);
        }
        Progress::Ended
    }

    fn wait(&mut self, _patience: Option<Duration>) {
        if let Some(worker) = &mut self.0 {
            worker.arrived = worker.requests.recv().ok();
        }
    }
}
