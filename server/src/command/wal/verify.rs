//! `forebay wal verify`: checks every byte of a log, and that every body can be read.

use std::io::Write;
use std::path::Path;

use wal::inspect::Report;

use super::body::entries;
use super::{ending, frames_if_there, output, sound, survey};
use crate::error::Error;

/// What was found whole.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) frames: u64,
    entries: u64,
    bytes: u64,
}

/// Checks the log in `dir`.
pub(super) fn run(dir: &Path, out: &mut impl Write) -> Result<(), Error> {
    let report = survey(dir)?;
    sound(dir, &report.verdict)?;
    let checked = check(dir, &report)?;
    let Checked { frames, entries, bytes } = checked;
    let segments = report.segments.len();
    writeln!(
        out,
        "{segments} segments, {frames} frames, {entries} entries, {bytes} bytes: {}",
        ending(&report.verdict)
    )
    .map_err(output)
}

/// Reads the frames of all segments in `report`.
pub(super) fn check(dir: &Path, report: &Report) -> Result<Checked, Error> {
    let mut checked = Checked::default();
    for segment in &report.segments {
        let frames = frames_if_there(dir, segment.seq)?;
        for frame in frames.into_iter().flatten() {
            let frame = frame?;
            checked.frames += 1;
            checked.bytes += frame.bytes;
            if let Some(lsns) = frame.lsns {
                checked.entries += entries(&frame.body, segment.seq, lsns)?.len() as u64;
            }
        }
    }
    Ok(checked)
}
