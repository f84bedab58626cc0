//! `forebay wal ls`: the segments of a log, and what crashes left of others.

use std::io::Write;
use std::path::Path;

use bytesize::ByteSize;
use wal::SegmentSummary;

use super::table::{Align, Table};
use super::{ending, output, sound, survey};
use crate::error::Error;

/// Lists the segments in `dir`.
pub(super) fn run(dir: &Path, out: &mut impl Write) -> Result<(), Error> {
    let report = survey(dir)?;
    let id = report.log.map(|id| id.to_string()).unwrap_or_else(|| "without a name".to_owned());
    writeln!(out, "log {id}: {}", ending(&report.verdict)).map_err(output)?;
    let mut table = Table::new([
        ("SEGMENT", Align::Right),
        ("EPOCH", Align::Right),
        ("LSNS", Align::Right),
        ("FRAMES", Align::Right),
        ("BYTES", Align::Right),
        ("FILE", Align::Left),
    ]);
    report.segments.iter().for_each(|segment| table.push(row(segment)));
    table.write(out).map_err(output)?;
    for kept in &report.kept_tails {
        let (bytes, file) = (ByteSize(kept.bytes), kept.file_name());
        writeln!(out, "kept of a torn tail: {bytes} in {file}").map_err(output)?;
    }
    sound(dir, &report.verdict)
}

fn row(segment: &SegmentSummary) -> [String; 6] {
    [
        segment.seq.to_string(),
        segment.epoch.to_string(),
        segment.lsns.map(|lsns| lsns.to_string()).unwrap_or_else(|| "none".to_owned()),
        segment.frames.to_string(),
        ByteSize(segment.bytes).to_string(),
        segment.name().to_string(),
    ]
}
