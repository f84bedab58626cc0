//! `forebay wal`: looks into the directory of a log, the data's or the catalog's. Nothing is locked
//! and nothing is written, so this works beside a running server.

mod body;
mod dump;
mod ls;
mod table;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use types::SegmentSeq;
use wal::classify::Verdict;
use wal::disk::RealDisk;
use wal::inspect::{FrameReports, Report};

use crate::error::Error;
use crate::exit::Code;

/// Flags of `forebay wal`.
#[derive(Debug, Args)]
pub(crate) struct WalFlags {
    /// What to do.
    #[command(subcommand)]
    command: WalCommand,
}

#[derive(Debug, Subcommand)]
enum WalCommand {
    /// List the segments
    Ls(DirFlags),
    /// Show what is in the frames
    Dump(DumpFlags),
    /// Check every byte; ends with 65 and names file and offset if one is not what was written
    Verify(DirFlags),
}

#[derive(Debug, Args)]
struct DirFlags {
    /// The log's directory, such as forebay-data/wal or forebay-data/catalog/log
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct DumpFlags {
    /// One segment, by its number [default: all]
    #[arg(long, value_name = "NUMBER")]
    segment: Option<u64>,

    #[command(flatten)]
    dir: DirFlags,
}

/// Runs the command.
pub(crate) fn run(flags: WalFlags) -> Result<Code, Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match flags.command {
        WalCommand::Ls(DirFlags { dir }) => ls::run(&dir, &mut out),
        WalCommand::Dump(DumpFlags { segment, dir: DirFlags { dir } }) => {
            dump::run(&dir, segment.map(SegmentSeq::new), &mut out)
        }
        WalCommand::Verify(DirFlags { dir }) => verify::run(&dir, &mut out),
    };
    // What was found before an error is worth being seen.
    let flushed = out.flush().map_err(output);
    done.and(flushed).map(|()| Code::Success)
}

/// The segments of the log in `dir`, of which there must be some.
fn survey(dir: &Path) -> Result<Report, Error> {
    let report = wal::inspect::segments(&RealDisk, dir)?;
    if report.segments.is_empty() && !matches!(report.verdict, Verdict::Corrupt { .. }) {
        return Err(Error::NoLog { dir: dir.to_owned() });
    }
    Ok(report)
}

/// Ends well unless the log is corrupt.
fn sound(dir: &Path, verdict: &Verdict) -> Result<(), Error> {
    match *verdict {
        Verdict::Corrupt { at, why } => Err(Error::Wal(wal::Error::Corrupt {
            path: dir.join(at.segment.to_string()),
            offset: at.offset,
            why,
        })),
        Verdict::Valid | Verdict::CleanEnd | Verdict::TornTail { .. } => Ok(()),
    }
}

/// The frames of segment `seq`; nothing if a server beside this has dropped it meanwhile.
fn frames_if_there(dir: &Path, seq: SegmentSeq) -> Result<Option<FrameReports>, Error> {
    match wal::inspect::frames(&RealDisk, dir, seq) {
        Ok(frames) => Ok(Some(frames)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The file may go between the look at the directory and its opening, too.
fn is_gone(error: &wal::Error) -> bool {
    match error {
        wal::Error::NoSuchSegment { .. } => true,
        wal::Error::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// What the end of the log looks like, in words.
fn ending(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid | Verdict::CleanEnd => "whole".to_owned(),
        Verdict::TornTail { at } => {
            format!("ends in a torn group in {at}, which nobody was told of")
        }
        Verdict::Corrupt { at, why } => format!("corrupt in {at}: {why}"),
    }
}

fn output(source: io::Error) -> Error {
    Error::Output { source }
}

#[cfg(test)]
mod tests;
