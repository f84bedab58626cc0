//! What can go wrong while persisting, and what a caller has to do about it.

use arrow::error::ArrowError;
use object_store::path::Path;
use parquet::errors::ParquetError;
use types::batch::merge::MergeError;
use types::error::panic_text;
use types::{ErrorKind, LogId};

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The threads that sort and encode could not be started.
    #[error("cannot start the threads that sort and encode")]
    CpuPool {
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
    /// The rows of a job could not be sorted.
    #[error("cannot sort the rows of a persist job")]
    Merge {
        /// Why.
        #[from]
        source: MergeError,
    },
    /// The rows of a job could not be laid out in columns.
    #[error("cannot lay out the rows of a persist job in columns")]
    Arrow {
        /// Why.
        #[from]
        source: ArrowError,
    },
    /// A Parquet file could not be written or read.
    #[error("cannot encode or decode a parquet file")]
    Parquet {
        /// Why.
        #[from]
        source: ParquetError,
    },
    /// What a file says about itself cannot be written or read.
    #[error("cannot encode or decode what a file says about itself")]
    Provenance {
        /// Why.
        #[from]
        source: serde_json::Error,
    },
    /// A file does not say what it is, or says it in a version that is not known here.
    #[error("the file says nothing that is known here about what it holds: {reason}")]
    NotOurs {
        /// What is missing.
        reason: String,
    },
    /// A name cannot be part of an object's key.
    #[error("cannot make an object key")]
    ObjectKey {
        /// Why.
        #[from]
        source: object_store::path::Error,
    },
    /// Sorting or encoding panicked, which no input may make it do.
    #[error("persisting panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The store failed.
    #[error("the object store failed on {path}")]
    Store {
        /// The object.
        path: Path,
        /// Why.
        source: object_store::Error,
    },
    /// The store gave no answer in time.
    #[error("the object store gave no answer about {path} in time")]
    StoreTimedOut {
        /// The object.
        path: Path,
    },
    /// An object is not what was sent.
    #[error("{path} is not what was sent: {what}")]
    NotWhatWasSent {
        /// The object.
        path: Path,
        /// What differs.
        what: String,
    },
    /// The catalog refused the file or could not be reached.
    #[error("the catalog did not take {path}")]
    Catalog {
        /// The file.
        path: String,
        /// Why.
        source: catalog::Error,
    },
    /// The catalog gave no answer in time.
    #[error("the catalog gave no answer about {path} in time")]
    CatalogTimedOut {
        /// The file.
        path: String,
    },
    /// Another process owns the log now: this one has to stop.
    #[error("another process has taken over the log")]
    Fenced,
    /// The prefix of the store belongs to another log.
    #[error("{path} says that log {owner} owns this prefix, but this is log {log}")]
    OwnedByAnother {
        /// The owner object.
        path: Path,
        /// Whose it is.
        owner: LogId,
        /// Who asked.
        log: LogId,
    },
    /// The owner object cannot be read.
    #[error("{path} does not name the owner of this prefix")]
    BadOwner {
        /// The owner object.
        path: Path,
        /// Why.
        source: serde_json::Error,
    },
    /// The store creates an object that is there already, so it cannot tell two owners apart.
    #[error("the object store overwrote {path} where it was told to create it only if absent")]
    ConditionIgnored {
        /// The owner object.
        path: Path,
    },
    /// The directory of the local store cannot be used.
    #[error("cannot {operation} {}", path.display())]
    Disk {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The handle was shut down; the job stays in the log.
    #[error("persisting has been shut down")]
    Closed,
}

impl Error {
    /// What a caller has to do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store { .. }
            | Self::StoreTimedOut { .. }
            | Self::NotWhatWasSent { .. }
            | Self::Closed => ErrorKind::Busy,
            Self::Catalog { source, .. } => source.kind(),
            Self::CatalogTimedOut { .. } => ErrorKind::Unknown,
            Self::Fenced | Self::OwnedByAnother { .. } | Self::ConditionIgnored { .. } => {
                ErrorKind::Fenced
            }
            Self::BadOwner { .. } | Self::NotOurs { .. } | Self::Parquet { .. } => {
                ErrorKind::Corrupt
            }
            Self::CpuPool { .. } | Self::Disk { .. } => ErrorKind::Fatal,
            Self::Merge { .. }
            | Self::Arrow { .. }
            | Self::Provenance { .. }
            | Self::ObjectKey { .. }
            | Self::Panicked { .. } => ErrorKind::Rejected,
        }
    }

    /// The error of a panic with this payload.
    pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        Self::Panicked { message: panic_text(panic).to_owned() }
    }

    /// Wraps what the store said about `path`, for use in `map_err`.
    pub(crate) fn store(path: &Path) -> impl FnOnce(object_store::Error) -> Self {
        let path = path.clone();
        move |source| Self::Store { path, source }
    }

    /// Wraps what a disk call said about `path`, for use in `map_err`.
    pub(crate) fn disk(
        operation: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk { operation, path: path.to_owned(), source }
    }
}
