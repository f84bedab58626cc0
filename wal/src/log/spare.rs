//! The next segment, written ahead of need: zeros and a header, fsynced, under a passing name.
//!
//! Zeros are really written: blocks that are only allocated would make the first fdatasync over
//! them commit metadata, and one without is about twice as fast.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use types::effect::{Access, Disk, DiskFile};

use crate::disk::{Operation, Response, respond, write_all_at};
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
        // One that could not be opened keeps its blocks: there was no descriptor for it.
        let does_not_fit = |failure: &DiskFailure| {
            failure.response() == Response::DiskFull && failure.operation != Operation::Open
        };
        if made.as_ref().is_err_and(does_not_fit) {
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

/// One spare at a time, on its way or ready.
#[derive(Debug)]
pub(crate) struct Spares {
    maker: Arc<SpareMaker>,
    /// Without it a spare is written when it is taken, which a seed can replay.
    background: bool,
    ordered: Option<JoinHandle<Result<Spare, DiskFailure>>>,
}

impl Spares {
    pub(crate) fn new(maker: SpareMaker, background: bool) -> Self {
        Self { maker: Arc::new(maker), background, ordered: None }
    }

    /// Has a spare with `header` written while the segment before it is filled.
    pub(crate) fn order(&mut self, header: SegmentHeader) {
        if !self.background || self.ordered.is_some() {
            return;
        }
        let maker = Arc::clone(&self.maker);
        let thread = std::thread::Builder::new().name("wal-spare".to_owned());
        // Without a thread the spare is written when it is taken.
        self.ordered = thread.spawn(move || maker.make(header)).ok();
    }

    /// The spare with `header`, waiting for it if need be. After a failure the next call tries
    /// again.
    pub(crate) fn take(&mut self, header: SegmentHeader) -> Result<Spare, DiskFailure> {
        match self.ordered.take().map(JoinHandle::join) {
            Some(Ok(Ok(spare))) if spare.header == header => Ok(spare),
            Some(Ok(Err(failure))) if failure.response() != Response::DiskFull => Err(failure),
            // There may be room now, and a panicked thread wrote nothing that counts.
            _ => self.maker.make(header),
        }
    }

    /// Waits until nobody writes to the directory any more.
    pub(crate) fn finish(&mut self) {
        if let Some(thread) = self.ordered.take() {
            // What became of a spare that nobody needs is nobody's business: it stays for the next
            // start, whole or not, and is written over.
            let _ = thread.join();
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.finish();
    }
}
