//! Turns appends into frames on disk: one write and one fdatasync a group.
//!
//! ```text
//!                 group written and synced ──▶ frames count
//!                /
//!   open segment ── disk full: cut back to the last good frame, sync, seal ──▶ no open segment
//!                \                        one without frames stays open ──▶ filled with zeros again
//!                 anything else ──▶ the end of the process
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use types::effect::{Clock, Disk, Randomness};
use types::fault::{self, Bug, Point};
use types::{Epoch, Lsn, LsnRange, SegmentSeq};

use super::open_segment::OpenSegment;
use super::room::Room;
use super::segments::Segments;
use super::spare::{DiskFailure, SPARE_NAME, Spares, write_zeros};
use crate::disk::{Operation, Response, write_all_at};
use crate::error::Error;
use crate::format::{FRAME_HEADER_LEN, FrameHeader, Link, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::invariants;
use crate::log::Append;
use crate::segment::{SealedSegment, SegmentName};

/// Memory that is kept between groups: twice an ordinary group.
const BUFFER_KEPT_MAX: usize = 8 << 20;

/// Why something was not written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no room; what was promised is safe, and nothing else was kept.
    DiskFull,
    /// There is no descriptor for the next segment, or for what keeps room; the rest is as above.
    NoDescriptor,
    /// Nothing can be promised any more.
    Fatal(Error),
}

impl From<DiskFailure> for Failure {
    fn from(failure: DiskFailure) -> Self {
        if failure.response() != Response::DiskFull {
            return Self::Fatal(failure.into());
        }
        let found_no_room = failure.found_no_room();
        let DiskFailure { operation, path, source } = failure;
        let path = path.display();
        tracing::warn!(%operation, %path, error = %source, "the log found no room");
        if found_no_room { Self::DiskFull } else { Self::NoDescriptor }
    }
}

/// A group that is durable.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) segment: SegmentSeq,
    /// The LSNs of each frame.
    pub(crate) lsns: Vec<LsnRange>,
    pub(crate) bytes: u64,
    pub(crate) sync_time: Duration,
}

/// The state of the log's end. It belongs to the log's thread.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) dir: PathBuf,
    pub(crate) segment_size: u64,
    pub(crate) epoch: Epoch,
    pub(crate) room: Arc<Room>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) spares: Spares,
    /// The last durable frame.
    pub(crate) link: Link,
    /// The header that the next segment gets; drawn early, so that its spare can be written.
    pub(crate) next_header: SegmentHeader,
    pub(crate) open: Option<OpenSegment>,
    /// Segments without frames that recovery took out of the way, to be removed when a next one has
    /// its name.
    pub(crate) unused: Vec<SegmentName>,
    /// The first LSN of the group that is being written.
    pub(crate) outstanding: Option<Lsn>,
    /// Segments sealed since somebody asked.
    pub(crate) newly_sealed: Vec<SealedSegment>,
    /// The encoded group; kept for its memory.
    pub(crate) buffer: Vec<u8>,
}

impl Writer {
    /// Writes one group, in a new segment if it does not fit in the open one.
    pub(crate) fn write_group<T>(&mut self, appends: &[Append<T>]) -> Result<Written, Failure> {
        let bytes = appends.iter().map(|append| append.body.frame_len()).sum();
        self.ensure_fits(bytes)?;
        let Some(open) = &self.open else {
            return Err(Failure::DiskFull);
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let (lsns, link) = encode_group(appends, self.link, &open.header, &mut buffer);
        let outcome = self.write_durably(&buffer, fault::is_planted(Bug::PublishBeforeFsync));
        buffer.clear();
        // One huge request is no reason to hold its memory for ever.
        buffer.shrink_to(BUFFER_KEPT_MAX);
        self.buffer = buffer;
        let sync_time = outcome?;
        fault::reach(Point::FsyncAfter);
        let range = LsnRange::new(self.link.lsn.next(), link.lsn);
        self.link = link;
        self.room.add_written(bytes);
        let Some(open) = &mut self.open else {
            return Err(Failure::DiskFull);
        };
        open.grow(bytes, appends.len() as u64, range);
        Ok(Written { segment: open.header.seq, lsns, bytes, sync_time })
    }

    /// Seals what was written since the last seal, in place.
    pub(crate) fn seal(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.as_ref().filter(|open| open.has_frames() && !open.is_sealed())
        else {
            return Ok(());
        };
        let mut seal = Vec::with_capacity(FRAME_HEADER_LEN);
        let link = FrameHeader::seal(self.epoch, self.link).encode(open.header.salt, &mut seal);
        self.write_durably(&seal, false)?;
        self.link = link;
        self.room.add_written(seal.len() as u64);
        if let Some(open) = &mut self.open {
            open.grow_by_seal(seal.len() as u64);
        }
        Ok(())
    }

    /// True if there are frames behind the last seal.
    pub(crate) fn wants_seal(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.has_frames() && !open.is_sealed())
    }

    /// Seals the open segment and opens the next, unless it has no frames.
    pub(crate) fn rotate(&mut self) -> Result<(), Failure> {
        if self.open.as_ref().is_some_and(OpenSegment::has_frames) {
            self.close_segment()?;
        }
        if self.open.is_none() { self.open_segment() } else { Ok(()) }
    }

    /// Seals the open segment, cuts off the zeros that it did not need, and leaves none open.
    pub(crate) fn close_segment(&mut self) -> Result<(), Failure> {
        self.seal()?;
        if let Some(open) = &self.open {
            let cut = open.file.set_len(open.end());
            cut.map_err(|error| self.failure(Operation::Truncate, error))?;
            self.retire();
        }
        Ok(())
    }

    /// Has an open segment with room for all of it, after a full disk left none, or one that it cut
    /// down to its header.
    pub(crate) fn ensure_open(&mut self) -> Result<(), Failure> {
        match &self.open {
            Some(open) => self.preallocate(open),
            None => self.open_segment(),
        }
    }

    /// Gives the spare its name, durably, and orders the next one.
    pub(crate) fn open_segment(&mut self) -> Result<(), Failure> {
        let spare = self.spares.take(self.next_header)?;
        let path = self.dir.join(self.next_header.name().to_string());
        fault::reach(Point::RenameBefore);
        let renamed = self.disk.rename(&self.dir.join(SPARE_NAME), &path);
        renamed.map_err(|error| DiskFailure::new(Operation::Rename, &path, error))?;
        fault::reach(Point::RenameAfter);
        // The name is durable before anything in the file is promised.
        if !fault::is_planted(Bug::NoDirectoryFsync) {
            let synced = self.disk.sync_dir(&self.dir);
            synced.map_err(|error| DiskFailure::new(Operation::SyncDir, &self.dir, error))?;
        }
        self.room.add_written(SEGMENT_HEADER_LEN as u64);
        self.open = Some(OpenSegment::new(spare.file, spare.header));
        self.next_header.seq = self.next_header.seq.next();
        self.next_header.salt = self.randomness.next_u64();
        self.spares.order(self.next_header);
        tracing::debug!(segment = %spare.header.name(), "opened a segment");
        match self.segments.remove_unused(&self.unused) {
            Ok(()) => self.unused.clear(),
            // Nothing hangs on them any more: the next segment tries again.
            Err(failure) if failure.response() == Response::Report => {
                let DiskFailure { path, source, .. } = failure;
                let path = path.display();
                tracing::warn!(%path, error = %source, "cannot remove a segment without frames");
            }
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }

    /// Writes zeros to the end of the open segment, which has no frames; leaves none if they do not
    /// fit.
    fn preallocate(&self, open: &OpenSegment) -> Result<(), Failure> {
        let written = write_zeros(open.file.as_ref(), open.end(), self.segment_size);
        match self.finish(open, written) {
            Err(Failure::DiskFull) => {
                self.undo()?;
                Err(Failure::DiskFull)
            }
            done => done,
        }
    }

    /// A group never spans two segments, and a seal always fits behind it.
    fn ensure_fits(&mut self, bytes: u64) -> Result<(), Failure> {
        let needed = bytes.saturating_add(FRAME_HEADER_LEN as u64);
        match &self.open {
            Some(open) if !open.has_frames() => Ok(()),
            Some(open) if open.end().saturating_add(needed) <= self.segment_size => Ok(()),
            _ => self.rotate(),
        }
    }

    /// Writes behind the last good frame and syncs. When this fails for want of room, nothing of
    /// `bytes` is left, and a segment with frames is closed. Only a planted mistake syncs later.
    fn write_durably(&mut self, bytes: &[u8], syncs_later: bool) -> Result<Duration, Failure> {
        invariants::assert_none_outstanding(self.outstanding);
        let Some(open) = &self.open else {
            return Err(Failure::DiskFull);
        };
        self.outstanding = Some(self.link.lsn.next());
        fault::reach(Point::WriteBefore);
        let written = write_all_at(open.file.as_ref(), bytes, open.end());
        if written.is_ok() {
            fault::reach(Point::FsyncBefore);
        }
        let began = self.clock.monotonic();
        let finished = match written {
            Ok(()) if syncs_later => Ok(()),
            written => self.finish(open, written),
        };
        match finished {
            Ok(()) => {
                self.outstanding = None;
                Ok(self.clock.monotonic().saturating_sub(began))
            }
            Err(Failure::DiskFull) if fault::is_planted(Bug::AppendAfterPartialWrite) => {
                // The mistake: what was written of it stays, and the next frame goes behind it.
                self.outstanding = None;
                if let Some(open) = &mut self.open {
                    open.skip(bytes.len() as u64);
                }
                Err(Failure::DiskFull)
            }
            Err(Failure::DiskFull) => {
                self.undo()?;
                self.outstanding = None;
                self.abandon()?;
                Err(Failure::DiskFull)
            }
            Err(fatal) => Err(fatal),
        }
    }

    /// The sync of a group that was published before it, where that mistake is planted.
    pub(crate) fn sync_late(&self) -> Result<(), Failure> {
        match &self.open {
            Some(open) if fault::is_planted(Bug::PublishBeforeFsync) => self.finish(open, Ok(())),
            _ => Ok(()),
        }
    }

    /// Cuts the open segment back to its last good frame, durably. Only then were the bytes behind
    /// it never there.
    fn undo(&self) -> Result<(), Failure> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let cut = open.file.set_len(open.end());
        cut.map_err(|error| self.failure(Operation::Truncate, error))?;
        // A sync that fails for want of room may have dropped pages of frames that were promised:
        // there is no second way out.
        open.file.sync_data().map_err(|error| {
            let name = self.dir.join(open.name().to_string());
            Failure::Fatal(Error::io(Operation::Sync, &name)(error))
        })
    }

    /// Leaves a segment on a full disk, with a seal if there is room for one. One without frames
    /// stays open, for none may be begun behind it.
    fn abandon(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.as_ref().filter(|open| open.has_frames()) else {
            return Ok(());
        };
        if !open.is_sealed() {
            let mut seal = Vec::with_capacity(FRAME_HEADER_LEN);
            let link = FrameHeader::seal(self.epoch, self.link).encode(open.header.salt, &mut seal);
            if self.try_write(open, &seal)? {
                self.link = link;
                self.room.add_written(seal.len() as u64);
                if let Some(open) = &mut self.open {
                    open.grow_by_seal(seal.len() as u64);
                }
            } else {
                self.undo()?;
            }
        }
        self.retire();
        Ok(())
    }

    /// Writes and syncs what may as well be left out; false if there is no room.
    fn try_write(&self, open: &OpenSegment, bytes: &[u8]) -> Result<bool, Failure> {
        let written = write_all_at(open.file.as_ref(), bytes, open.end());
        match self.finish(open, written) {
            Ok(()) => Ok(true),
            Err(Failure::DiskFull) => Ok(false),
            Err(fatal) => Err(fatal),
        }
    }

    /// Syncs what was written to the open segment.
    fn finish(&self, open: &OpenSegment, written: io::Result<()>) -> Result<(), Failure> {
        written.map_err(|error| self.failure(Operation::Write, error))?;
        if fault::is_planted(Bug::AckBeforeFsync) {
            return Ok(());
        }
        open.file.sync_data().map_err(|error| self.failure(Operation::Sync, error))
    }

    /// The open segment, which has frames, becomes one of those that do not change any more.
    fn retire(&mut self) {
        if let Some(open) = self.open.take() {
            let summary = open.summary();
            self.segments.push(summary);
            self.newly_sealed.push(SealedSegment { seq: summary.seq, lsns: summary.lsns });
            tracing::debug!(segment = %open.name(), frames = summary.frames, "sealed a segment");
        }
    }

    fn failure(&self, operation: Operation, error: io::Error) -> Failure {
        let name = self.open.as_ref().map(|open| open.name().to_string());
        DiskFailure::new(operation, &self.dir.join(name.unwrap_or_default()), error).into()
    }
}

/// Encodes a group behind `link`; returns the LSNs of each frame and the link of the last.
fn encode_group<T>(
    appends: &[Append<T>],
    mut link: Link,
    segment: &SegmentHeader,
    out: &mut Vec<u8>,
) -> (Vec<LsnRange>, Link) {
    let durable_lsn = link.lsn;
    let group_first_lsn = durable_lsn.next();
    invariants::assert_follows(durable_lsn, group_first_lsn);
    let mut lsns = Vec::with_capacity(appends.len());
    for append in appends {
        let first_lsn = link.lsn.next();
        let range = LsnRange::new(first_lsn, link.lsn.plus(u64::from(append.batches.get())));
        invariants::assert_consecutive(lsns.last().copied(), range);
        let header = FrameHeader {
            compressed: append.body.is_compressed(),
            seal: false,
            epoch: segment.epoch,
            group_first_lsn,
            first_lsn,
            count: append.batches.get(),
            comp_len: append.body.comp_len(),
            raw_len: append.body.raw_len(),
            body_crc: append.body.crc(),
            batch_id: append.batch_id,
            prev: link,
            durable_lsn,
        };
        link = header.encode(segment.salt, out);
        out.extend_from_slice(append.body.bytes());
        lsns.push(range);
    }
    (lsns, link)
}
