//! The segments that will not change any more: read back, and dropped oldest first.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use types::SegmentSeq;
use types::effect::Disk;
use types::fault::{self, Point};

use super::room::Room;
use super::spare::DiskFailure;
use crate::disk::Operation;
use crate::error::Error;
use crate::frames::Frames;
use crate::invariants;
use crate::segment::{SegmentName, SegmentSummary};

/// The sealed segments of a running log.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) raw_len_max: u32,
    /// Bytes come back here when segments go.
    pub(crate) room: Arc<Room>,
    /// Oldest first.
    pub(crate) sealed: Mutex<Vec<SegmentSummary>>,
    /// True once the log is closed. Held while files are removed, so that two callers cannot mix up
    /// the order, and none removes a file of a directory that was given back.
    pub(crate) closed: Mutex<bool>,
}

impl Segments {
    pub(crate) fn summaries(&self) -> Vec<SegmentSummary> {
        self.sealed.lock().clone()
    }

    pub(crate) fn push(&self, segment: SegmentSummary) {
        self.sealed.lock().push(segment);
    }

    pub(crate) fn frames(&self, seq: SegmentSeq) -> Result<Frames, Error> {
        let segment = self.sealed.lock().iter().find(|segment| segment.seq == seq).copied();
        let segment = segment.ok_or(Error::NoSuchSegment { seq })?;
        let path = self.dir.join(segment.name().to_string());
        Frames::open(self.disk.as_ref(), &path, segment.bytes, self.raw_len_max)
    }

    /// Removes segments up to `seq`, oldest first. Each removal is made durable before the next:
    /// a power cut that kept a later removal and took back an earlier one would leave a gap.
    /// Returns how many are gone; nothing if the log is closed, and then none is.
    pub(crate) fn drop_through(&self, seq: SegmentSeq) -> Result<Option<usize>, DiskFailure> {
        let closed = self.closed.lock();
        if *closed {
            return Ok(None);
        }
        let doomed: Vec<_> =
            self.summaries().into_iter().filter(|segment| segment.seq <= seq).collect();
        for segment in &doomed {
            self.remove(segment)?;
        }
        Ok(Some(doomed.len()))
    }

    /// Removes nothing any more, once a caller that does is done.
    pub(crate) fn close(&self) {
        *self.closed.lock() = true;
    }

    /// Removes segments that never held a frame. They leave no gap, so one sync is enough.
    pub(crate) fn remove_unused(&self, names: &[SegmentName]) -> Result<(), DiskFailure> {
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            self.remove_file(&name.unused())?;
        }
        self.sync_dir()
    }

    fn remove(&self, segment: &SegmentSummary) -> Result<(), DiskFailure> {
        fault::reach(Point::UnlinkBefore);
        self.remove_file(&segment.name().to_string())?;
        fault::reach(Point::UnlinkAfter);
        self.sync_dir()?;
        // The entry goes last, so that nothing is forgotten that is still there.
        let mut sealed = self.sealed.lock();
        invariants::assert_oldest(sealed.first().map(|oldest| oldest.seq), segment.seq);
        sealed.remove(0);
        drop(sealed);
        self.room.sub_written(segment.bytes);
        Ok(())
    }

    /// Removes one file, unless an attempt before this one did and failed at what comes next.
    fn remove_file(&self, name: &str) -> Result<(), DiskFailure> {
        let path = self.dir.join(name);
        match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DiskFailure::new(Operation::Remove, &path, error))
            }
            _ => Ok(()),
        }
    }

    fn sync_dir(&self) -> Result<(), DiskFailure> {
        let synced = self.disk.sync_dir(&self.dir);
        synced.map_err(|error| DiskFailure::new(Operation::SyncDir, &self.dir, error))
    }
}
