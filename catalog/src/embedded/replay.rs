//! Replays the commands of the log that a snapshot lacks.

use std::path::{Path, PathBuf};

use types::{CatalogVersion, Lsn};
use wal::{Frame, Recovery, SegmentSummary};

use crate::command::Command;
use crate::config::Limits;
use crate::damage::{Damage, Place};
use crate::error::Error;
use crate::machine::Effect;
use crate::record;
use crate::snapshot::Snapshot;

/// Applies to `root` what the recovered log in `dir` has after it. Returns the bytes of the
/// segments.
pub(super) fn replay(recovery: &Recovery, dir: &Path, root: &mut Snapshot) -> Result<u64, Error> {
    for segment in recovery.segments() {
        let path = path_of(dir, segment);
        for frame in recovery.frames(segment.seq)? {
            let frame = frame?;
            if frame.lsns.last() > lsn_of(root.version()) {
                let place = Place::Lsn(frame.lsns.first());
                apply(&frame, root).map_err(|why| Error::corrupt(&path, place, why))?;
            }
        }
    }
    Ok(recovery.segments().iter().map(|segment| segment.bytes).sum())
}

/// Applies one frame, whose first command must make the next version and whose last one must make
/// the version that the frame ends with.
fn apply(frame: &Frame, root: &mut Snapshot) -> Result<(), Damage> {
    let (first, last) = (frame.lsns.first(), frame.lsns.last());
    if first != lsn_of(root.version()).next() {
        let found = CatalogVersion::new(first.get());
        return Err(Damage::Gap { last: root.version(), found });
    }
    for command in record::decode(&frame.body)? {
        apply_again(&command, root)?;
    }
    if lsn_of(root.version()) != last {
        return Err(Damage::OtherCommands);
    }
    Ok(())
}

/// Applies a command that was accepted before: it makes a version, or something else than what was
/// committed is in the log. Limits do not count, for they may have been lowered since.
fn apply_again(command: &Command, root: &mut Snapshot) -> Result<(), Damage> {
    match root.apply(command, &Limits::NONE) {
        Ok(Effect::Changed(_)) => Ok(()),
        Ok(Effect::Repeated(_)) => Err(Damage::OtherCommands),
        Err(refusal) => Err(Damage::Refused { source: Box::new(refusal) }),
    }
}

/// The version of the catalog is the LSN of its log.
fn lsn_of(version: CatalogVersion) -> Lsn {
    Lsn::new(version.get())
}

fn path_of(dir: &Path, segment: &SegmentSummary) -> PathBuf {
    dir.join(segment.name().to_string())
}
