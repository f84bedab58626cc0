//! The files of a partition.

use serde::{Deserialize, Serialize};
use types::{CatalogVersion, Epoch, FileId, LogId, LsnRange, Term};

use crate::checksums::BlockChecksums;
use crate::command::AddFile;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Sorted Parquet.
    Parquet,
    /// Arrow IPC of a persist job that failed for a reason of its own; queries read it like any
    /// other.
    Quarantine,
}

/// A file that is durable in the store and not in the catalog yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// Drawn for this attempt to write the file.
    pub id: FileId,
    /// Its key in the object store.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The term of its rows.
    pub term: Term,
    /// The LSNs of its rows: each batch of the partition within the range is in the file.
    pub lsns: LsnRange,
    /// How many rows it has.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// The smallest `time` in it, in nanoseconds.
    pub time_min: i64,
    /// The largest `time` in it, in nanoseconds.
    pub time_max: i64,
    /// The checksums of its blocks.
    #[serde(default, skip_serializing_if = "BlockChecksums::is_empty")]
    pub checksums: BlockChecksums,
}

/// A file of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The name of the attempt that wrote it.
    pub id: FileId,
    /// Its key in the object store.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The log that the rows come from.
    pub log: LogId,
    /// The term of its rows.
    pub term: Term,
    /// The epoch that committed it.
    pub epoch: Epoch,
    /// The LSNs of its rows: each batch of the partition within the range is in the file.
    pub lsns: LsnRange,
    /// How many rows it has.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// The smallest `time` in it, in nanoseconds.
    pub time_min: i64,
    /// The largest `time` in it, in nanoseconds.
    pub time_max: i64,
    /// The checksums of its blocks.
    #[serde(default, skip_serializing_if = "BlockChecksums::is_empty")]
    pub checksums: BlockChecksums,
    /// The version that added it.
    pub added_at: CatalogVersion,
}

impl File {
    /// The file of `add`, as committed at `added_at`.
    pub(crate) fn new(add: &AddFile, added_at: CatalogVersion) -> Self {
        let AddFile { log, epoch, file, .. } = add;
        Self {
            id: file.id,
            path: file.path.clone(),
            kind: file.kind,
            log: *log,
            term: file.term,
            epoch: *epoch,
            lsns: file.lsns,
            rows: file.rows,
            bytes: file.bytes,
            time_min: file.time_min,
            time_max: file.time_max,
            checksums: file.checksums.clone(),
            added_at,
        }
    }

    /// True if `add` would commit this very file; the epoch may have moved on since.
    pub(crate) fn is_of(&self, add: &AddFile) -> bool {
        let again = Self { epoch: self.epoch, ..Self::new(add, self.added_at) };
        *self == again
    }
}
