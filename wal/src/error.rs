//! What can go wrong with a log, and what a caller has to do about it.

use std::io;
use std::path::{Path, PathBuf};

use types::{Epoch, ErrorKind, LogId, SegmentSeq};

use crate::classify::Why;
use crate::disk::Operation;

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A disk call failed in a way that the log cannot go on from.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried.
        operation: Operation,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that were durable are not what was written. Nothing on disk was changed.
    #[error("the log is corrupt: {} at offset {offset}: {why}", path.display())]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where in the segment.
        offset: u64,
        /// What is wrong there.
        why: Why,
    },
    /// The log carries an epoch that the catalog does not know: one of the two is an older copy.
    #[error("{} has epoch {epoch}, but the catalog knows none above {known}", path.display())]
    UnknownEpoch {
        /// The segment.
        path: PathBuf,
        /// Its epoch.
        epoch: Epoch,
        /// The highest epoch that the catalog knows.
        known: Epoch,
    },
    /// The directory holds another log than the catalog says.
    #[error("{} belongs to log {found}, but the catalog says {expected}", path.display())]
    AnotherLog {
        /// The segment.
        path: PathBuf,
        /// The log that it names.
        found: LogId,
        /// The log that the catalog names.
        expected: LogId,
    },
    /// Somebody else has the directory.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The log must not be opened with an epoch that it has seen.
    #[error("epoch {epoch} is not above {known}, the highest that the log knows")]
    StaleEpoch {
        /// The epoch given.
        epoch: Epoch,
        /// The highest epoch in the log or the catalog.
        known: Epoch,
    },
    /// The segments hold as much as they may.
    #[error("the log holds {used} of at most {max} bytes, and {wanted} more do not fit")]
    LogFull {
        /// Bytes written and promised.
        used: u64,
        /// Bytes allowed.
        max: u64,
        /// Bytes asked for.
        wanted: u64,
    },
    /// The file system has no room.
    #[error("the disk of the log is full")]
    DiskFull,
    /// A body is larger than a frame may be.
    #[error("a body of {raw_len} bytes is over the limit of {max}")]
    BodyTooLarge {
        /// Its bytes, uncompressed.
        raw_len: u64,
        /// The limit.
        max: u64,
    },
    /// A frame is larger than a log that holds nothing else.
    #[error("a frame of {frame_len} bytes does not fit into a log of at most {max}")]
    FrameTooLarge {
        /// Its bytes, as in the log.
        frame_len: u64,
        /// The bytes of frames that the log may hold.
        max: u64,
    },
    /// Less space was reserved than the frame needs.
    #[error("a frame of {needed} bytes came with {reserved} bytes of space")]
    SpaceTooSmall {
        /// The bytes of the space given.
        reserved: u64,
        /// The bytes of the frame.
        needed: u64,
    },
    /// There is no such segment to read, or it is still open.
    #[error("segment {seq} is not among the sealed segments")]
    NoSuchSegment {
        /// The segment asked for.
        seq: SegmentSeq,
    },
    /// The log was closed; nothing was kept.
    #[error("the log is closed")]
    Closed,
    /// The log's thread ended before it answered.
    #[error("the log's thread ended before it answered")]
    Ended,
    /// The log's thread panicked, which no input may make it do.
    #[error("the log's thread panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The configuration contradicts itself.
    #[error("bad log configuration: {faults}")]
    BadConfig {
        /// All faults.
        faults: String,
    },
}

impl Error {
    /// What a caller has to do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::Panicked { .. } => ErrorKind::Fatal,
            Self::Corrupt { .. } | Self::UnknownEpoch { .. } | Self::AnotherLog { .. } => {
                ErrorKind::Corrupt
            }
            Self::StaleEpoch { .. } => ErrorKind::Fenced,
            Self::LogFull { .. } | Self::DiskFull | Self::Closed | Self::Locked { .. } => {
                ErrorKind::Busy
            }
            Self::Ended => ErrorKind::Unknown,
            Self::BodyTooLarge { .. }
            | Self::FrameTooLarge { .. }
            | Self::SpaceTooSmall { .. }
            | Self::NoSuchSegment { .. }
            | Self::BadConfig { .. } => ErrorKind::Rejected,
        }
    }

    /// Wraps what a disk call said, for use in `map_err`.
    pub(crate) fn io(operation: Operation, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_owned(), source }
    }
}
