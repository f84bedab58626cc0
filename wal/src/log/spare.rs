//! The next segment, written ahead of need: zeros and a header, fsynced, under a passing name.
//!
//! Zeros are really written: blocks that are only allocated would make the first fdatasync over
//! them commit metadata, and one without is about twice as fast.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use types::effect::{Access, Disk, DiskFile, Progress, Threads, Worker};

use crate::disk::{Operation, Response, lacks_descriptor, respond, write_all_at};
use crate::error::Error;
use crate::format::SegmentHeader;

/// The name of a segment that has no name yet.
pub(crate) const SPARE_NAME: &str = "spare.tmp";

/// A disk call that failed, before it is decided what that means.
#[derive(Debug)]
pub(crate) struct DiskFailure {
    pub(crate) operation: Operation,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl DiskFailure {
    pub(crate) fn new(operation: Operation, path: &Path, source: io::Error) -> Self {
        Self { operation, path: path.to_owned(), source }
    }

    pub(crate) fn response(&self) -> Response {
        respond(self.operation, &self.source)
    }

    /// True if there was no room. For want of a descriptor the log waits just the same, but what
    /// has blocks already keeps them: to give them away would not help.
    pub(crate) fn found_no_room(&self) -> bool {
        self.response() == Response::DiskFull && !lacks_descriptor(&self.source)
    }
}

impl From<DiskFailure> for Error {
    fn from(failure: DiskFailure) -> Self {
        let DiskFailure { operation, path, source } = failure;
        Self::Io { operation, path, source }
    }
}

/// A segment without a name.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: SegmentHeader,
}

/// Writes spares.
#[derive(Debug)]
pub(crate) struct SpareMaker {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) size: u64,
}

impl SpareMaker {
    /// Writes a spare with `header`, over an old one if there is one: its blocks are still there
    /// when the disk is full. What does not fit is removed, to leave no room taken.
    fn make(&self, header: SegmentHeader) -> Result<Spare, DiskFailure> {
        let path = self.dir.join(SPARE_NAME);
        let made = self.write(&path, header);
        if made.as_ref().is_err_and(DiskFailure::found_no_room) {
            // Best effort: a spare that stays is written over by the next attempt.
            let _ = self.disk.remove(&path);
        }
        made
    }

    fn write(&self, path: &Path, header: SegmentHeader) -> Result<Spare, DiskFailure> {
        let failure = |operation| move |error| DiskFailure::new(operation, path, error);
        let file = match self.disk.open(path, Access::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create(path).map_err(failure(Operation::Create))?
            }
            opened => opened.map_err(failure(Operation::Open))?,
        };
        let bytes = header.encode();
        write_all_at(file.as_ref(), &bytes, 0).map_err(failure(Operation::Write))?;
        write_zeros(file.as_ref(), bytes.len() as u64, self.size)
            .map_err(failure(Operation::Write))?;
        file.set_len(self.size).map_err(failure(Operation::Truncate))?;
        file.sync_data().map_err(failure(Operation::Sync))?;
        Ok(Spare { file, header })
    }
}

/// Writes zeros from `at` to `end`.
pub(crate) fn write_zeros(file: &dyn DiskFile, mut at: u64, end: u64) -> io::Result<()> {
    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
    while at < end {
        let len = usize::try_from(end - at).unwrap_or(ZEROS.len()).min(ZEROS.len());
        write_all_at(file, &ZEROS[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

/// What became of an order.
type Made = Result<Spare, DiskFailure>;

/// A spare to be written, and where it goes. It belongs to whoever takes it first: a thread that has
/// not begun when the spare is needed leaves it to the one that needs it.
#[derive(Debug)]
struct Order {
    header: SegmentHeader,
    made: SyncSender<Made>,
}

/// The thread of one order.
#[derive(Debug)]
struct Making {
    maker: Arc<SpareMaker>,
    order: Arc<Mutex<Option<Order>>>,
}

impl Worker for Making {
    fn step(&mut self) -> Progress {
        let order = self.order.lock().take();
        if let Some(Order { header, made }) = order {
            // Who does not wait any more does not want to know.
            let _ = made.send(self.maker.make(header));
        }
        Progress::Ended
    }

    fn wait(&mut self, _patience: Option<Duration>) {}
}

/// An order that was given to a thread.
#[derive(Debug)]
struct Ordered {
    order: Arc<Mutex<Option<Order>>>,
    made: Receiver<Made>,
}

impl Ordered {
    /// What the thread has made of it, waiting for it if it has begun; nothing if it has not, and
    /// now will not, or if it panicked. Then nobody writes any more.
    ///
    /// A thread that has begun is one of the system's, and goes on by itself.
    fn end(self) -> Option<Made> {
        let untouched = self.order.lock().take();
        // Its sender goes with it, so that nobody would wait for it.
        drop(untouched);
        self.made.recv().ok()
    }
}

/// One spare at a time, on its way or ready.
#[derive(Debug)]
pub(crate) struct Spares {
    maker: Arc<SpareMaker>,
    /// Without them a spare is written when it is taken, which a seed can replay.
    threads: Option<Arc<dyn Threads>>,
    ordered: Option<Ordered>,
}

impl Spares {
    pub(crate) fn new(maker: SpareMaker, threads: Option<Arc<dyn Threads>>) -> Self {
        Self { maker: Arc::new(maker), threads, ordered: None }
    }

    /// Has a spare with `header` written while the segment before it is filled.
    pub(crate) fn order(&mut self, header: SegmentHeader) {
        let Some(threads) = self.threads.as_ref().filter(|_| self.ordered.is_none()) else {
            return;
        };
        let (sender, made) = sync_channel(1);
        let order = Arc::new(Mutex::new(Some(Order { header, made: sender })));
        let making = Making { maker: Arc::clone(&self.maker), order: Arc::clone(&order) };
        // Without a thread the spare is written when it is taken.
        let started = threads.start("wal-spare", Box::new(making));
        self.ordered = started.ok().map(|_| Ordered { order, made });
    }

    /// The spare with `header`, waiting for it if need be. After a failure the next call tries
    /// again.
    pub(crate) fn take(&mut self, header: SegmentHeader) -> Result<Spare, DiskFailure> {
        match self.ordered.take().and_then(Ordered::end) {
            Some(Ok(spare)) if spare.header == header => Ok(spare),
            Some(Err(failure)) if failure.response() != Response::DiskFull => Err(failure),
            // There may be room now, and a panicked thread wrote nothing that counts.
            _ => self.maker.make(header),
        }
    }

    /// Waits until nobody writes to the directory any more.
    pub(crate) fn finish(&mut self) {
        // What became of a spare that nobody needs is nobody's business: it stays for the next
        // start, whole or not, and is written over.
        drop(self.ordered.take().map(Ordered::end));
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.finish();
    }
}
