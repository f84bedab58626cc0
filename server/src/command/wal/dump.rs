//! `forebay wal dump`: what the frames of a log hold.

use std::io::Write;
use std::path::Path;

use types::SegmentSeq;
use wal::disk::RealDisk;
use wal::inspect::{FrameReport, FrameReports, Report};

use super::body::entries;
use super::table::{Align, Table};
use super::{frames_if_there, output, sound, survey};
use crate::error::Error;

/// Shows the frames of all segments in `dir`, or those of `only`.
pub(super) fn run(dir: &Path, only: Option<SegmentSeq>, out: &mut impl Write) -> Result<(), Error> {
    if let Some(seq) = only {
        return dump(seq, wal::inspect::frames(&RealDisk, dir, seq)?, out);
    }
    let report = survey(dir)?;
    dump_all(dir, &report, out)?;
    sound(dir, &report.verdict)
}

/// Shows the segments in `report` that are there.
pub(super) fn dump_all(dir: &Path, report: &Report, out: &mut impl Write) -> Result<(), Error> {
    for segment in &report.segments {
        if let Some(frames) = frames_if_there(dir, segment.seq)? {
            dump(segment.seq, frames, out)?;
        }
    }
    Ok(())
}

/// One table a segment: it is held until it is complete, which a whole log would be too large for.
fn dump(seq: SegmentSeq, frames: FrameReports, out: &mut impl Write) -> Result<(), Error> {
    let mut table = Table::new([
        ("OFFSET", Align::Right),
        ("BYTES", Align::Right),
        ("EPOCH", Align::Right),
        ("LSN", Align::Right),
        ("HOLDS", Align::Left),
    ]);
    let read = rows(seq, frames, &mut table);
    writeln!(out, "segment {seq}").map_err(output)?;
    table.write(out).map_err(output)?;
    read
}

/// Adds the rows of segment `seq`; those before an error are added too.
fn rows(seq: SegmentSeq, frames: FrameReports, table: &mut Table<5>) -> Result<(), Error> {
    for frame in frames {
        let frame = frame?;
        let Some(lsns) = frame.lsns else {
            table.push(row(&frame, String::new(), "seal".to_owned()));
            continue;
        };
        for entry in entries(&frame.body, seq, lsns)? {
            table.push(row(&frame, entry.lsn.to_string(), entry.holds));
        }
    }
    Ok(())
}

fn row(frame: &FrameReport, lsn: String, holds: String) -> [String; 5] {
    [frame.offset.to_string(), frame.bytes.to_string(), frame.epoch.to_string(), lsn, holds]
}
