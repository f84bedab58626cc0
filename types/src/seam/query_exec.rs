//! How queries read what is not in files yet.
//!
//! A query reads each batch exactly once, from the buffer or from a file, whatever is persisted
//! meanwhile:
//!
//! 1. it takes the current catalog version V and [registers](QueryExec::register) it; if the buffer
//!    has already let go of chunks for a version above V, it takes the newer version;
//! 2. it opens one [`TableReader`] for each table scan of its plan, which fixes the partitions;
//! 3. at a partition's turn it [takes](TableReader::take) the chunks that no file of V holds, and
//!    reads the files of V.
//!
//! A chunk that version W put into a file stays until no reader of a version below W has its turn
//! there still before it. Who has taken a chunk keeps it in memory for as long as it reads. Where
//! that becomes too much the oldest scan has to [give way](GiveWay), also one that nobody reads on.

use std::fmt::Debug;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::batch::Chunk;
use crate::error::ErrorKind;
use crate::id::{CatalogVersion, Epoch, LogId, PartitionId, TableId};
use crate::lsn::{Lsn, LsnRange};
use crate::partition::PartitionKey;
use crate::position::Position;

/// The buffer as queries see it.
#[async_trait]
pub trait QueryExec: Debug + Send + Sync {
    /// Registers a query that reads the files of `version`.
    ///
    /// # Errors
    ///
    /// [`QueryError::SnapshotTooOld`] if chunks are gone that `version` would need, and
    /// [`QueryError::NotReady`] while not all acknowledged rows are here.
    fn register(&self, version: CatalogVersion) -> Result<Arc<dyn QueryReader>, QueryError>;

    /// The log whose batches this buffer holds, and the epoch of its present opening.
    fn log(&self) -> (LogId, Epoch);

    /// Everything up to this LSN is fsynced and visible.
    fn published(&self) -> Lsn;

    /// Returns once `position` is published.
    ///
    /// # Errors
    ///
    /// [`QueryError::PositionNotReached`] after `timeout`, or at once if the position belongs to
    /// another log.
    async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), QueryError>;
}

/// A registered query; its version is held until this and all its [`TableReader`]s are dropped.
pub trait QueryReader: Debug + Send + Sync {
    /// The version that is held.
    fn version(&self) -> CatalogVersion;

    /// Opens a scan of `table` and fixes which of its partitions the scan will visit.
    fn open(&self, table: TableId) -> Arc<dyn TableReader>;
}

/// A partition that has rows in the buffer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionRef {
    /// Its key.
    pub key: PartitionKey,
    /// Its id.
    pub id: PartitionId,
}

/// One scan of one table.
pub trait TableReader: Debug + Send + Sync {
    /// The partitions that had rows in the buffer when the scan was opened, in key order.
    fn partitions(&self) -> &[PartitionRef];

    /// Takes this scan's turn at `partition`: its chunks in LSN order, less those that lie in one
    /// of the ranges `in_files`. What was published before the turn is included. The partition's
    /// lock is released before this returns.
    ///
    /// A scan has one turn at a partition: a second call finds what is left.
    ///
    /// # Errors
    ///
    /// [`QueryError::SnapshotTooOld`] if the scan was so slow that what was kept for it had to go:
    /// no writer waits for a reader.
    fn take(&self, partition: PartitionId, in_files: &[LsnRange])
    -> Result<Vec<Chunk>, QueryError>;

    /// Makes a stream of this scan known before it takes anything: it is told when the scan has to
    /// give way, or at once if it had to already. A buffer that never asks for anything back need
    /// not know its streams.
    fn may_be_cut(&self, _stream: Weak<dyn GiveWay>) {}
}

/// A stream of a scan, which holds what the scan has taken.
pub trait GiveWay: Debug + Send + Sync {
    /// Lets go of all that the stream holds, and has it end with `why`. Returns without waiting for
    /// who reads it: a stream that is being read this moment lets go as soon as it has been, and
    /// then this is false.
    fn give_way(&self, why: QueryError) -> bool;
}

/// Why the buffer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The version's chunks are gone; a newer version can be served.
    #[error("the snapshot at catalog version {version} is too old; the oldest served is {oldest}")]
    SnapshotTooOld {
        /// What was asked for.
        version: CatalogVersion,
        /// What can be had.
        oldest: CatalogVersion,
    },
    /// This node is replaying its log or shutting down.
    #[error("{reason}")]
    NotReady {
        /// What it is doing.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The position that the query carries is not visible here in time.
    #[error("position {wanted} is not visible yet: published up to LSN {published}")]
    PositionNotReached {
        /// What was asked for.
        wanted: Position,
        /// How far this node is.
        published: Lsn,
    },
}

impl QueryError {
    /// What the caller has to do.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::SnapshotTooOld { .. } | Self::NotReady { .. } => ErrorKind::Busy,
            Self::PositionNotReached { .. } => ErrorKind::Busy,
        }
    }
}
