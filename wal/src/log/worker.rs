//! The log's thread, one step at a time, so that a test can be the thread.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use types::Lsn;
use types::effect::{Clock, Progress};
use types::fault::{self, Bug};

use super::ballast::Ballast;
use super::observer::{CommitObserver, CommittedFrame, Group};
use super::queue::{Queue, Work};
use super::room::Room;
use super::writer::{Failure, Writer};
use crate::error::Error;
use crate::fatal::Fatal;
use crate::log::Append;
use crate::segment::{SealedSegment, SegmentSummary};

/// How soon a full disk is looked at again: a second is short beside what filled it.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Each look that finds no room doubles the time to the next, up to this: a look writes what fits of
/// a whole segment, on a disk that others write to.
const PROBE_INTERVAL_MAX: Duration = Duration::from_secs(4);

/// How soon a ballast is tried again that a log had to begin without.
pub(crate) const BALLAST_INTERVAL: Duration = Duration::from_secs(5);

/// What handles see of the log's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) durable_lsn: Lsn,
    pub(crate) open: Option<SegmentSummary>,
}

/// All that the log's thread owns.
#[derive(Debug)]
pub(crate) struct Worker<T, O> {
    pub(crate) queue: Arc<Queue<T>>,
    pub(crate) writer: Writer,
    pub(crate) observer: O,
    pub(crate) room: Arc<Room>,
    pub(crate) status: Arc<Mutex<Status>>,
    pub(crate) ballast: Ballast,
    /// True if a start takes appends though the ballast does not fit.
    pub(crate) segment_before_ballast: bool,
    /// When the ballast was last tried, while the log takes appends without one.
    pub(crate) owes_ballast: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fatal: Arc<dyn Fatal>,
    pub(crate) group_bytes_max: u64,
    pub(crate) idle_seal: Duration,
    /// When something was last written, or the full disk last looked at.
    pub(crate) last_active: Duration,
    /// Time from one look at a full disk to the next.
    pub(crate) probe_interval: Duration,
    /// True while a group is published and not synced: a mistake that can be planted.
    pub(crate) owes_sync: bool,
}

impl<T, O: CommitObserver<T>> Worker<T, O> {
    /// Opens the first segment of this epoch, or starts with a full disk.
    ///
    /// The ballast comes first, as where a full disk is looked at again: else the segment and the
    /// spare behind it would take the room that is left to persisting.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        let begun = match self.segment_before_ballast {
            true => self.writer.open_segment().and_then(|()| self.keep_or_owe_ballast()),
            false => {
                let kept = self.ballast.keep().map_err(Failure::from);
                kept.and_then(|()| self.writer.open_segment())
            }
        };
        match begun {
            Ok(()) => {}
            Err(Failure::Fatal(error)) => return Err(error),
            Err(failure) => self.survive(failure),
        }
        self.publish_status();
        Ok(())
    }

    /// Does what is next: one group, one rotation, one seal. Ends when the log is closed.
    pub(crate) fn step(&mut self) -> Progress {
        if mem::take(&mut self.owes_sync) {
            self.sync_late();
            return Progress::Worked;
        }
        if self.ballast_wait() == Some(Duration::ZERO)
            && let Err(failure) = self.keep_or_owe_ballast()
        {
            self.survive(failure);
        }
        match self.queue.take(self.group_bytes_max) {
            Some(Work::Group(appends)) => self.append(appends),
            Some(Work::Rotate(answer)) => {
                let sealed = self.rotate();
                // Who does not wait any more does not want to know.
                let _ = answer.send(sealed);
            }
            Some(Work::Probe) => self.probe(PROBE_INTERVAL),
            Some(Work::Close(answer)) => {
                self.close();
                let _ = answer.send(());
                return Progress::Ended;
            }
            None => return self.idle(),
        }
        Progress::Worked
    }

    fn append(&mut self, appends: Vec<Append<T>>) {
        if self.room.is_disk_full() {
            return self.refuse(appends);
        }
        match self.writer.write_group(&appends) {
            Ok(written) => {
                self.last_active = self.clock.monotonic();
                self.tell_sealed();
                self.publish_status();
                let frames = appends.into_iter().zip(written.lsns);
                let frames =
                    frames.map(|(append, lsns)| CommittedFrame { lsns, payload: append.payload });
                self.observer.committed(Group {
                    segment: written.segment,
                    frames: frames.collect(),
                    bytes: written.bytes,
                    sync_time: written.sync_time,
                });
                self.owes_sync = fault::is_planted(Bug::PublishBeforeFsync);
            }
            Err(failure) => {
                self.survive(failure);
                self.refuse(appends);
            }
        }
    }

    fn sync_late(&mut self) {
        match self.writer.sync_late() {
            Ok(()) => self.observer.synced(),
            Err(failure) => self.survive(failure),
        }
    }

    fn refuse(&mut self, appends: Vec<Append<T>>) {
        for append in appends {
            drop(append.space);
            self.observer.refused(append.payload, &Error::DiskFull);
        }
    }

    fn rotate(&mut self) -> Option<SealedSegment> {
        let seq = self.writer.open.as_ref().filter(|open| open.has_frames())?.header.seq;
        let rotated = self.writer.rotate();
        let sealed = self.tell_sealed().into_iter().find(|sealed| sealed.seq == seq);
        if let Err(failure) = rotated {
            self.survive(failure);
        }
        self.publish_status();
        sealed
    }

    fn close(&mut self) {
        let closed = match self.writer.wants_seal() {
            true => self.writer.close_segment(),
            false => Ok(()),
        };
        if let Err(Failure::Fatal(error)) = closed {
            self.fatal.end(&error);
        }
        self.tell_sealed();
        self.writer.spares.finish();
        self.writer.segments.close();
        self.publish_status();
        tracing::info!(durable_lsn = self.writer.link.lsn.get(), "the log is closed");
    }

    /// Seals a log that has been idle long enough, and looks at a full disk now and then.
    fn idle(&mut self) -> Progress {
        let full = self.room.is_disk_full();
        let interval = match (full, self.writer.wants_seal()) {
            (true, _) => self.probe_interval,
            (false, true) => self.idle_seal,
            (false, false) => return Progress::Idle(self.ballast_wait()),
        };
        let passed = self.clock.monotonic().saturating_sub(self.last_active);
        if passed < interval {
            let left = interval.saturating_sub(passed);
            return Progress::Idle(Some(self.ballast_wait().map_or(left, |wait| wait.min(left))));
        }
        if full {
            self.probe(self.probe_interval.saturating_mul(2).min(PROBE_INTERVAL_MAX));
        } else {
            self.last_active = self.clock.monotonic();
            if let Err(failure) = self.writer.seal() {
                self.survive(failure);
            }
        }
        self.tell_sealed();
        self.publish_status();
        Progress::Worked
    }

    /// Goes on if the disk has room for the ballast and a whole segment. That is the low-water
    /// mark: freeing the ballast alone does not reach it, so what it freed is left to persisting.
    /// The next look comes after `interval`, if it comes to one.
    ///
    /// To look is to write: only blocks that were written can be had for certain. So for a moment the
    /// look takes what room there is. None of it is missing to an acknowledged write: its blocks were
    /// written before its fdatasync returned, and nothing is appended meanwhile, because the thread
    /// that looks is the one that appends. A file that is being persisted may lack it: that upload
    /// fails, and is made again under another name after a backoff of its own. It costs time, and
    /// not for ever: looks become rare, and one that finds too little gives it back at once.
    fn probe(&mut self, interval: Duration) {
        if !self.room.is_disk_full() {
            return;
        }
        let resumed = self.ballast.keep().map_err(Failure::from);
        match resumed.and_then(|()| self.writer.ensure_open()) {
            Ok(()) => {
                self.room.set_disk_full(false);
                self.owes_ballast = None;
                self.probe_interval = PROBE_INTERVAL;
                tracing::info!("the disk of the log has room again");
            }
            Err(Failure::DiskFull) => {
                self.free_ballast();
                self.probe_interval = interval;
            }
            Err(Failure::NoDescriptor) => self.probe_interval = interval,
            Err(Failure::Fatal(error)) => self.fatal.end(&error),
        }
        // Now and not before: a look at a slow disk may take longer than the interval.
        self.last_active = self.clock.monotonic();
        self.publish_status();
    }

    /// Writes the ballast if there is room for it, and if not, goes on without and tries again.
    fn keep_or_owe_ballast(&mut self) -> Result<(), Failure> {
        match self.ballast.keep().map_err(Failure::from) {
            Ok(()) => self.owes_ballast = None,
            Err(Failure::Fatal(error)) => return Err(Failure::Fatal(error)),
            Err(Failure::DiskFull | Failure::NoDescriptor) => {
                if self.owes_ballast.is_none() {
                    tracing::warn!("there is no room for the ballast, going on without one");
                }
                self.owes_ballast = Some(self.clock.monotonic());
            }
        }
        Ok(())
    }

    /// How long until an owed ballast is tried again. On a full disk it comes with the look whether
    /// there is room.
    fn ballast_wait(&self) -> Option<Duration> {
        let tried = self.owes_ballast.filter(|_| !self.room.is_disk_full())?;
        let passed = self.clock.monotonic().saturating_sub(tried);
        Some(BALLAST_INTERVAL.saturating_sub(passed))
    }

    /// Ends the process, or turns to refusing.
    fn survive(&mut self, failure: Failure) {
        match failure {
            Failure::Fatal(error) => self.fatal.end(&error),
            Failure::DiskFull => {
                self.enter_disk_full();
                self.free_ballast();
            }
            Failure::NoDescriptor => self.enter_disk_full(),
        }
        self.tell_sealed();
        self.publish_status();
    }

    fn enter_disk_full(&mut self) {
        self.room.set_disk_full(true);
        self.last_active = self.clock.monotonic();
        tracing::warn!("the disk of the log is full, refusing appends");
    }

    fn free_ballast(&self) {
        if let Err(failure) = self.ballast.free() {
            // Not being able to sync the directory ends the log like any failed sync.
            self.fatal.end(&failure.into());
        }
    }

    fn tell_sealed(&mut self) -> Vec<SealedSegment> {
        let sealed = mem::take(&mut self.writer.newly_sealed);
        for segment in &sealed {
            self.observer.sealed(segment);
        }
        sealed
    }

    fn publish_status(&self) {
        let open = self.writer.open.as_ref().map(super::open_segment::OpenSegment::summary);
        *self.status.lock() = Status { durable_lsn: self.writer.link.lsn, open };
    }
}
