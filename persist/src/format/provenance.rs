//! What a file says about itself, so that a catalog can be rebuilt from the files alone.
//!
//! Parquet files carry it as key-value metadata, Arrow files as metadata of their schema:
//!
//! * `forebay.version`: the version of this form, now `1`. A reader refuses versions above the one
//!   it knows; a later version may add keys to the document, which older readers ignore.
//! * `forebay.file`: a JSON document with the fields of [`Provenance`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{
    ColumnDef, DatabaseRef, Epoch, FileId, LogId, LsnRange, PartitionKey, SortKey, TableRef, Term,
};

use crate::error::Error;
use crate::job::PersistJob;

/// The key under which files say in which version they describe themselves.
pub const VERSION_KEY: &str = "forebay.version";
/// The key of the description.
pub const FILE_KEY: &str = "forebay.file";
/// The version of the description.
pub const VERSION: &str = "1";

/// What a file is: all that the catalog knows of it and the Parquet footer does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The id in the file's name.
    pub file: FileId,
    /// The database.
    pub database: DatabaseRef,
    /// The table.
    pub table: TableRef,
    /// The partition's key.
    pub partition: PartitionKey,
    /// The term in which the log owned the partition.
    pub term: Term,
    /// The log.
    pub log: LogId,
    /// The opening of the log in which the file was written.
    pub epoch: Epoch,
    /// Each batch of the partition within this range is in the file.
    pub lsns: LsnRange,
    /// The tags by which the rows are sorted, slowest first; `time` follows them. Absent where the
    /// rows stand in the order in which they were written.
    pub sort_key: Option<SortKey>,
    /// The columns that the file has, in name order.
    pub columns: Vec<ColumnDef>,
    /// The number of rows.
    pub rows: u64,
    /// The smallest time.
    pub time_min: i64,
    /// The largest time.
    pub time_max: i64,
}

/// The log and its opening, which are the same for all files of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
}

/// What the rows of a file are like.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) sort_key: Option<SortKey>,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) rows: u64,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
}

impl Provenance {
    pub(crate) fn new(job: &PersistJob, origin: Origin, file: FileId, contents: Contents) -> Self {
        Self {
            file,
            database: (*job.database).clone(),
            table: (*job.table).clone(),
            partition: job.key.clone(),
            term: job.term,
            log: origin.log,
            epoch: origin.epoch,
            lsns: job.lsns(),
            sort_key: contents.sort_key,
            columns: contents.columns,
            rows: contents.rows,
            time_min: contents.time_min,
            time_max: contents.time_max,
        }
    }

    /// The pairs that go into a file.
    pub(crate) fn to_pairs(&self) -> Result<BTreeMap<&'static str, String>, Error> {
        let document = serde_json::to_string(self)?;
        Ok(BTreeMap::from([(VERSION_KEY, VERSION.to_owned()), (FILE_KEY, document)]))
    }

    /// Reads what `value_of` finds in a file under these keys.
    ///
    /// # Errors
    ///
    /// [`Error::NotOurs`] if the file says nothing or in another version, and
    /// [`Error::Provenance`] if what it says cannot be read.
    pub fn from_pairs<'a>(value_of: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Error> {
        let not_ours = |reason: String| Error::NotOurs { reason };
        let version = value_of(VERSION_KEY).ok_or_else(|| not_ours(format!("no {VERSION_KEY}")))?;
        if version != VERSION {
            return Err(not_ours(format!("{VERSION_KEY} is {version:?}")));
        }
        let document = value_of(FILE_KEY).ok_or_else(|| not_ours(format!("no {FILE_KEY}")))?;
        Ok(serde_json::from_str(document)?)
    }
}
