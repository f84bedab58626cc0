//! Places in a log where rot has to be found out, whatever else is lost.

use std::path::Path;

use types::effect::Disk;
use wal::SegmentName;
use wal::disk::ModelDisk;
use wal::inspect::{self, FrameReport};

use crate::chance::Chance;

/// Rot in the newest segment comes so near to its end.
const FRAMES_FROM_END: usize = 3;

/// One of the last frames that a later one shows to have been durable.
pub(super) fn vouched_frame(
    disk: &ModelDisk,
    dir: &Path,
    chance: &Chance,
) -> Option<(SegmentName, FrameReport)> {
    let entries = disk.list(dir).ok()?;
    let names = entries.iter().filter_map(|entry| SegmentName::parse(&entry.name));
    let newest = names.max()?;
    let reports = inspect::frames(disk, dir, newest.seq).ok()?;
    // Of the first one nobody knows which LSN it should have.
    let mut frames: Vec<FrameReport> = reports.map_while(Result::ok).skip(1).collect();
    let durable = frames.last()?.durable_lsn;
    frames.retain(|frame| frame.lsns.is_some_and(|lsns| lsns.last() <= durable));
    let near_end = frames.len().saturating_sub(FRAMES_FROM_END);
    let mut last = frames.split_off(near_end);
    if last.is_empty() {
        return None;
    }
    let at = chance.index(last.len());
    Some((newest, last.swap_remove(at)))
}

/// A segment with frames in front of another one that has frames too, which shows that the first was
/// sealed; and where its last frame ends.
pub(super) fn sealed_segment(
    disk: &ModelDisk,
    dir: &Path,
    chance: &Chance,
) -> Option<(SegmentName, u64)> {
    let report = inspect::segments(disk, dir).ok()?;
    let mut segments = report.segments;
    segments.retain(|segment| segment.frames > 0);
    segments.pop()?;
    let segment = segments.get(chance.index(segments.len().max(1)))?;
    Some((segment.name(), segment.bytes))
}
