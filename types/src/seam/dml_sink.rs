//! Where writes go.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::ErrorKind;
use crate::position::Position;
use crate::write::Write;

/// Takes a write; success means that it is fsynced and visible.
///
/// Decorators wrap one sink in another: `Admission` refuses what there is no room for, `SchemaSink`
/// commits new columns, `WalSink` appends and waits. What lies inside `WalSink` runs only after the
/// fsync, through [`Publish`](super::Publish).
#[async_trait]
pub trait DmlSink: Debug + Send + Sync {
    /// Applies `write` and returns its position.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops nothing that was appended: it becomes durable and visible.
    async fn apply(&self, write: Write) -> Result<Position, DmlError>;
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmlError {
    /// There is no room, or the node is not ready; nothing was kept.
    #[error("{reason}")]
    Busy {
        /// What there is no room for, for the person who reads it.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// However often it comes, it is refused as it is; nothing was kept.
    #[error("{reason}")]
    Rejected {
        /// What is wrong with it, for the program that sent it.
        why: Rejection,
        /// The same for people: a limit by its name, where it is one.
        reason: String,
    },
    /// Another request changed a table's columns since this one was checked: check it again against
    /// the newer schema. Nothing was kept.
    #[error("the table's columns have changed since the write was checked")]
    SchemaChanged,
    /// The write was appended, but whether it is durable is not known in time.
    #[error("the outcome of the write is unknown: {reason}")]
    Unknown {
        /// What was waited for.
        reason: String,
    },
    /// Another process owns the log now.
    #[error("this node has been fenced: {reason}")]
    Fenced {
        /// Who by.
        reason: String,
    },
    /// A fault of this program; the client may not assume the write was lost or kept.
    #[error("internal error: {reason}")]
    Internal {
        /// What failed.
        reason: String,
    },
}

/// What is wrong with a write that is refused for good; the edge has a status for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It needs more databases, tables or columns than there may be.
    NamesExhausted,
    /// It is more than this node can ever take at once; its parts may be kept.
    TooLarge,
    /// What is in it fits nowhere.
    Invalid,
}

impl DmlError {
    /// What the caller has to do.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy { .. } | Self::SchemaChanged => ErrorKind::Busy,
            Self::Rejected { .. } => ErrorKind::Rejected,
            Self::Unknown { .. } | Self::Internal { .. } => ErrorKind::Unknown,
            Self::Fenced { .. } => ErrorKind::Fenced,
        }
    }
}
