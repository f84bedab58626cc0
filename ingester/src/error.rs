//! What can end an ingester, and what a caller has to do about it.

use types::{ErrorKind, LsnRange, SegmentSeq, TableId};

/// The errors of starting, replaying and ending.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log cannot be opened, read or closed.
    #[error("the write-ahead log failed")]
    Log(#[from] wal::Error),
    /// The catalog refused or failed.
    #[error("the catalog failed")]
    Catalog(#[from] catalog::Error),
    /// The persist actor could not be started.
    #[error("the persist actor failed")]
    Persist(#[from] persist::Error),
    /// A frame passed its checksums but holds no write of this or an earlier version.
    #[error("the frame with LSNs {lsns} in segment {segment} holds no readable write")]
    Frame {
        /// The segment.
        segment: SegmentSeq,
        /// The frame.
        lsns: LsnRange,
        /// What is wrong with its body.
        source: types::batch::codec::DecodeError,
    },
    /// The log holds rows of a table that the catalog has never heard of.
    #[error(
        "the frame with LSNs {lsns} in segment {segment} names table {table}, which the catalog \
         does not know: one of the two comes from an older copy"
    )]
    UnknownTable {
        /// The segment.
        segment: SegmentSeq,
        /// The frame.
        lsns: LsnRange,
        /// The table.
        table: TableId,
    },
    /// Another process has opened the log since: this one must not commit any more.
    #[error("another process has taken over the log")]
    Fenced,
    /// A task of this program ended before its time.
    #[error("the task that should {task} ended: {message}")]
    Task {
        /// What it was to do.
        task: &'static str,
        /// How it ended.
        message: String,
    },
}

impl Error {
    /// The error of a task whose result is lost.
    pub(crate) fn lost(task: &'static str) -> Self {
        Self::Task { task, message: "it panicked, or there is no thread for it".to_owned() }
    }

    /// What a caller has to do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Persist(error) => error.kind(),
            Self::Frame { .. } | Self::UnknownTable { .. } => ErrorKind::Corrupt,
            Self::Fenced => ErrorKind::Fenced,
            Self::Task { .. } => ErrorKind::Fatal,
        }
    }
}
