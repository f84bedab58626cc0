//! Starts the log's thread, and ends it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use types::effect::{self, DirLock, Progress, Thread, Threads, receive};
use types::error::panic_text;
use types::{Epoch, LogId, SegmentSeq};

use super::ballast::Ballast;
use super::observer::CommitObserver;
use super::queue::{Queue, Request};
use super::room::Room;
use super::segments::Segments;
use super::spare::{SpareMaker, Spares};
use super::worker::{PROBE_INTERVAL, Status, Worker};
use super::writer::Writer;
use crate::config::Config;
use crate::deps::Deps;
use crate::disk::{Operation, Response};
use crate::error::Error;
use crate::fatal::Fatal;
use crate::format::{Link, SegmentHeader};
use crate::log::{Append, LogHandle, LogState};
use crate::segment::{SegmentName, SegmentSummary};

/// What a running log begins from.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) lock: Box<dyn DirLock>,
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) link: Link,
    pub(crate) next_seq: SegmentSeq,
    pub(crate) segments: Vec<SegmentSummary>,
    /// Segments without frames, to be removed when the next one has its name.
    pub(crate) unused: Vec<SegmentName>,
}

/// Starts a log with threads of its own.
pub(crate) fn start<T, O>(origin: Origin, observer: O) -> Result<LogHandle<T>, Error>
where
    T: Send + 'static,
    O: CommitObserver<T>,
{
    let dir = origin.dir.clone();
    let (mut running, worker, lock) = assemble(origin, observer, true)?;
    let turns = Turns { _ending: Ending(Arc::clone(&worker.queue)), worker, _lock: lock };
    let thread = running.threads.start("wal", Box::new(turns));
    *running.thread.get_mut() = Some(thread.map_err(Error::io(Operation::Create, &dir))?);
    Ok(LogHandle::new(running))
}

/// A log whose thread has not started: the handle's side, the thread's side, the lock between runs.
pub(crate) type Assembled<T, O> = (Running<T>, Worker<T, O>, Box<dyn DirLock>);

/// Puts a log together and opens its first segment. Whoever gets the worker is its thread.
pub(crate) fn assemble<T: Send + 'static, O: CommitObserver<T>>(
    origin: Origin,
    observer: O,
    background: bool,
) -> Result<Assembled<T, O>, Error> {
    let Origin { dir, config, deps, lock, log, epoch, link, next_seq, segments, unused } = origin;
    let room = Room::new(config.max_size, segments.iter().map(|segment| segment.bytes).sum());
    let segments = Arc::new(Segments {
        disk: Arc::clone(&deps.disk),
        dir: dir.clone(),
        raw_len_max: config.frame_raw_len_max,
        room: Arc::clone(&room),
        sealed: Mutex::new(segments),
        closed: Mutex::new(false),
    });
    let status = Arc::new(Mutex::new(Status { durable_lsn: link.lsn, open: None }));
    let queue = Arc::new(Queue::new());
    let maker =
        SpareMaker { disk: Arc::clone(&deps.disk), dir: dir.clone(), size: config.segment_size };
    let spares = Spares::new(maker, background.then(|| Arc::clone(&deps.threads)));
    let salt = deps.randomness.next_u64();
    let writer = Writer {
        disk: Arc::clone(&deps.disk),
        clock: Arc::clone(&deps.clock),
        randomness: deps.randomness,
        dir: dir.clone(),
        segment_size: config.segment_size,
        epoch,
        room: Arc::clone(&room),
        segments: Arc::clone(&segments),
        spares,
        link,
        next_header: SegmentHeader { log, epoch, seq: next_seq, salt },
        open: None,
        unused,
        outstanding: None,
        newly_sealed: Vec::new(),
        buffer: Vec::new(),
    };
    let mut worker = Worker {
        queue: Arc::clone(&queue),
        writer,
        observer,
        room: Arc::clone(&room),
        status: Arc::clone(&status),
        ballast: Ballast::new(deps.disk, dir, config.ballast_size),
        segment_before_ballast: config.segment_before_ballast,
        owes_ballast: None,
        last_active: deps.clock.monotonic(),
        clock: deps.clock,
        fatal: Arc::clone(&deps.fatal),
        group_bytes_max: config.group_bytes_max,
        idle_seal: config.idle_seal,
        probe_interval: PROBE_INTERVAL,
        owes_sync: false,
    };
    worker.begin()?;
    let (fatal, threads) = (deps.fatal, deps.threads);
    let thread = Mutex::new(None);
    let running = Running { queue, room, segments, status, fatal, log, epoch, threads, thread };
    Ok((running, worker, lock))
}

/// What the log's thread owns, in the order in which it goes: whoever waits is told first, and the
/// lock is given back when nothing writes to the directory any more.
struct Turns<T, O> {
    _ending: Ending<T>,
    worker: Worker<T, O>,
    _lock: Box<dyn DirLock>,
}

impl<T: Send + 'static, O: CommitObserver<T>> effect::Worker for Turns<T, O> {
    fn step(&mut self) -> Progress {
        let worker = &mut self.worker;
        match catch_unwind(AssertUnwindSafe(|| worker.step())) {
            Ok(progress) => progress,
            // At once: what the worker owns may take long to drop, and another process must not get
            // the directory while this one is still there.
            Err(panic) => {
                let message = panic_text(panic.as_ref()).to_owned();
                self.worker.fatal.end(&Error::Panicked { message })
            }
        }
    }

    fn wait(&mut self, patience: Option<Duration>) {
        self.worker.queue.wait(patience);
    }
}

/// Ends the queue when the thread ends, also by a [`Fatal::end`] that unwinds.
struct Ending<T>(Arc<Queue<T>>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What the handles of one log share.
#[derive(Debug)]
pub(crate) struct Running<T: Send + 'static> {
    queue: Arc<Queue<T>>,
    room: Arc<Room>,
    segments: Arc<Segments>,
    status: Arc<Mutex<Status>>,
    fatal: Arc<dyn Fatal>,
    log: LogId,
    epoch: Epoch,
    threads: Arc<dyn Threads>,
    thread: Mutex<Option<Box<dyn Thread>>>,
}

impl<T: Send + 'static> Running<T> {
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(crate) fn append(&self, append: Append<T>) -> Result<(), (Error, T)> {
        self.queue.append(append).map_err(|append| (Error::Closed, append.payload))
    }

    /// Queues a request and waits for its answer.
    pub(crate) fn ask<A>(
        &self,
        request: impl FnOnce(SyncSender<A>) -> Request<T>,
    ) -> Result<A, Error> {
        let (answer, answers) = sync_channel(1);
        if !self.queue.ask(request(answer)) {
            return Err(Error::Closed);
        }
        receive(self.threads.as_ref(), &answers).map_err(|_| Error::Ended)
    }

    /// Queues a request, and leaves the waiting to the caller.
    #[cfg(test)]
    pub(crate) fn ask_queue(&self, request: Request<T>) -> bool {
        self.queue.ask(request)
    }

    pub(crate) fn drop_through(&self, seq: SegmentSeq) -> Result<(), Error> {
        let dropped = match self.segments.drop_through(seq) {
            Ok(Some(dropped)) => dropped,
            Ok(None) => return Err(Error::Closed),
            Err(failure) if failure.response() == Response::Report => return Err(failure.into()),
            // The directory's sync failed: whether the names are gone cannot be known.
            Err(failure) => self.fatal.end(&failure.into()),
        };
        if dropped > 0 && self.room.is_disk_full() {
            // A closed log needs no room.
            let _ = self.queue.ask(Request::Probe);
        }
        Ok(())
    }

    pub(crate) fn state(&self) -> LogState {
        let status = *self.status.lock();
        LogState {
            log_id: self.log,
            epoch: self.epoch,
            durable_lsn: status.durable_lsn,
            next_lsn: status.durable_lsn.next(),
            open: status.open,
            sealed: self.segments.summaries(),
            bytes: self.room.written(),
            wanted: self.room.wanted(),
            disk_full: self.room.is_disk_full(),
        }
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        let mut thread = self.thread.lock();
        let closed = self.ask(Request::Close);
        // Whoever has an answer waits for nothing but the thread's last step.
        match thread.take().map(|thread| thread.join()) {
            // Closed before: there is no thread to wait for.
            None => Ok(()),
            Some(Ok(())) => closed,
            Some(Err(_)) => Err(Error::Ended),
        }
    }
}

impl<T: Send + 'static> Drop for Running<T> {
    fn drop(&mut self) {
        // Nobody waits for the answer, and a log that is closed already takes no request.
        let (answer, _) = sync_channel(1);
        let _ = self.queue.ask(Request::Close(answer));
    }
}
