//! Opens a log after whatever happened to it.
//!
//! ```text
//!   lock ─▶ list ─▶ classify ─▶ refuse, nothing changed            (corrupt, another log, epoch)
//!                      └──────▶ sync all but the newest segment
//!                               rewrite the newest: good prefix + seal ─▶ fsync ─▶ rename over it
//!                               take those without frames out of the way
//!                               sync the directory ─▶ show the frames
//!                               start: name a new segment, remove files that were never used
//! ```
//!
//! A segment without frames that stood in front of a begun one would look like one whose frames
//! were lost. So it has another name, which keeps its number, before the next one gets a name.
//!
//! The newest segment is always rewritten: after an fsync that failed, the kernel holds pages that
//! look clean and never reached the disk, and no later fsync writes them. A second crash at any
//! step finds either the segment as it was or the whole new one. The new one needs room: what the
//! disk has, the spare, or what the ballast gives back. Where there is none at all the segment is
//! written over itself, with the seal last; a second crash then finds the segment as it was, or less
//! of the group that nobody was told of. So no start is refused because the disk is full.

mod in_place;
mod kept_tails;
mod repair;
mod rewrite;
mod survey;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use types::effect::{DirLock, LockMode};
use types::{Epoch, LogId, Lsn, SegmentSeq};

use crate::classify::{Classified, Verdict};
use crate::config::Config;
use crate::deps::Deps;
use crate::disk::{Operation, create_dir_all};
use crate::error::Error;
use crate::format::Link;
use crate::frames::Frames;
use crate::log::{CommitObserver, LogHandle, Origin};
use crate::segment::{SegmentName, SegmentSummary, TornTails};
use crate::vouched::Vouched;

pub(crate) use survey::Survey;

/// A log that is whole and durable again, and not yet running.
#[derive(Debug)]
pub struct Recovery {
    dir: PathBuf,
    config: Config,
    deps: Deps,
    lock: Box<dyn DirLock>,
    log: LogId,
    epoch: Epoch,
    link: Link,
    next_seq: SegmentSeq,
    segments: Vec<SegmentSummary>,
    /// Segments that never came to hold a frame, under [`SegmentName::unused`].
    unused: Vec<SegmentName>,
    torn: TornTails,
}

impl Recovery {
    /// Locks `dir`, creating it if need be, and makes its segments whole and durable.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if another process has it. [`Error::Corrupt`], [`Error::AnotherLog`] and
    /// [`Error::UnknownEpoch`] if the bytes are not what was promised; then no segment was changed.
    /// [`Error::Io`] if the disk fails. A full one does not: what recovery needs is there already.
    pub fn open(
        dir: impl AsRef<Path>,
        config: Config,
        deps: Deps,
        vouched: Vouched,
    ) -> Result<Self, Error> {
        let dir = dir.as_ref();
        config.validate()?;
        create_dir_all(deps.disk.as_ref(), dir).map_err(Error::io(Operation::Create, dir))?;
        let lock = lock(&deps, dir)?;
        let survey = Survey::by_owner(deps.disk.as_ref(), dir)?;
        let (next_seq, mut unused) = (survey.next_seq(), survey.unused().to_vec());
        let mut classified = survey.classify(Some(&vouched), config.frame_raw_len_max)?;
        let kept = survey.kept().to_vec();
        drop(survey);
        check(dir, &classified, &vouched)?;
        kept_tails::remove_oldest(deps.disk.as_ref(), dir, &kept, &classified.segments);
        let torn = TornTails::of(&classified.segments);
        repair::make_durable(&deps, dir, &mut classified, &mut unused)?;
        let retired = unused.iter().map(|name| name.epoch).max().unwrap_or(Epoch::ZERO);
        let log = classified.log.or(vouched.log).unwrap_or_else(|| draw_log_id(&deps));
        let recovery = Self {
            dir: dir.to_owned(),
            lock,
            log,
            epoch: classified.epoch.max(retired).max(vouched.known_epoch()),
            link: classified.link.unwrap_or(Link::after(vouched.lsn)),
            next_seq,
            segments: classified.segments,
            unused,
            torn,
            config,
            deps,
        };
        tracing::info!(
            dir = %dir.display(),
            log = %recovery.log,
            segments = recovery.segments.len(),
            next_lsn = recovery.next_lsn().get(),
            verdict = ?classified.verdict,
            torn_tails = torn.count,
            torn_bytes = torn.bytes,
            "the log is recovered"
        );
        Ok(recovery)
    }

    /// The log's id: that of the segments, else the catalog's, else drawn just now.
    pub const fn log_id(&self) -> LogId {
        self.log
    }

    /// The highest epoch that the segments or the catalog know; the next opening needs a higher.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The LSN that the next batch gets: above all that the segments or the catalog know.
    pub const fn next_lsn(&self) -> Lsn {
        self.link.lsn.next()
    }

    /// What was cut off: a crash left it, and nobody was told of it. It is kept in files that end in
    /// `.torn`, unless the disk was full; the oldest of many are removed.
    pub const fn torn_tails(&self) -> TornTails {
        self.torn
    }

    /// The segments with frames, oldest first; none of them will change any more.
    pub fn segments(&self) -> &[SegmentSummary] {
        &self.segments
    }

    /// Reads a segment back.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSegment`] for a number that is not in [`Recovery::segments`];
    /// [`Error::Io`] and [`Error::Corrupt`] if its header cannot be read.
    pub fn frames(&self, seq: SegmentSeq) -> Result<Frames, Error> {
        let segment = self.segments.iter().find(|segment| segment.seq == seq);
        let segment = segment.ok_or(Error::NoSuchSegment { seq })?;
        let path = self.dir.join(segment.name().to_string());
        Frames::open(self.deps.disk.as_ref(), &path, segment.bytes, self.config.frame_raw_len_max)
    }

    /// Starts the log's thread with a segment of its own under `epoch`, which the caller has
    /// registered in the catalog. On a full disk without a spare the log starts all the same, and
    /// refuses appends until there is room.
    ///
    /// # Errors
    ///
    /// [`Error::StaleEpoch`] unless `epoch` is above [`Recovery::epoch`]; [`Error::Io`] if the disk
    /// fails.
    pub fn start<T, O>(self, epoch: Epoch, observer: O) -> Result<LogHandle<T>, Error>
    where
        T: Send + 'static,
        O: CommitObserver<T>,
    {
        crate::log::start(self.origin(epoch)?, observer)
    }

    /// What a running log begins from.
    pub(crate) fn origin(self, epoch: Epoch) -> Result<Origin, Error> {
        if epoch <= self.epoch {
            return Err(Error::StaleEpoch { epoch, known: self.epoch });
        }
        let Self { dir, config, deps, lock, log, link, next_seq, segments, unused, .. } = self;
        Ok(Origin { dir, config, deps, lock, log, epoch, link, next_seq, segments, unused })
    }
}

fn lock(deps: &Deps, dir: &Path) -> Result<Box<dyn DirLock>, Error> {
    deps.disk.lock_dir(dir, LockMode::Exclusive).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Locked { path: dir.to_owned() },
        _ => Error::io(Operation::Lock, dir)(error),
    })
}

/// Refuses what must not be recovered from, before anything on disk is changed.
fn check(dir: &Path, classified: &Classified, vouched: &Vouched) -> Result<(), Error> {
    if let Verdict::Corrupt { at, why } = classified.verdict {
        let path = dir.join(at.segment.to_string());
        return Err(Error::Corrupt { path, offset: at.offset, why });
    }
    let Some((found, newest)) = classified.log.zip(classified.segments.last()) else {
        return Ok(());
    };
    let path = || dir.join(newest.name().to_string());
    if let Some(expected) = vouched.log.filter(|expected| *expected != found) {
        return Err(Error::AnotherLog { path: path(), found, expected });
    }
    if classified.epoch > vouched.epoch {
        let (epoch, known) = (classified.epoch, vouched.epoch);
        return Err(Error::UnknownEpoch { path: path(), epoch, known });
    }
    Ok(())
}

fn draw_log_id(deps: &Deps) -> LogId {
    LogId::from_random(deps.randomness.next_u64(), deps.randomness.next_u64())
}
