//! What can be asked of the catalog: one command, one step, all of it or nothing.

use serde::{Deserialize, Serialize};
use types::effect::Randomness;
use types::{
    DatabaseId, Epoch, LogId, Lsn, PartitionKey, RequestId, SchemaChange, SortKey, TableId,
};

use crate::file::NewFile;

/// An action under a name of its own, so that one that is sent twice is applied once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Drawn by the sender, once for the action however often it is sent.
    pub request: RequestId,
    /// What is to happen.
    pub action: Action,
}

impl Command {
    /// `action` under a request id that is drawn for it.
    pub fn new(action: Action, randomness: &dyn Randomness) -> Self {
        let request = RequestId::from_random(randomness.next_u64(), randomness.next_u64());
        Self { request, action }
    }
}

/// A conditional change of the catalog. Each is judged against the newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Registers the next epoch of a log, before the log is written under it. Refused unless the
    /// epoch is above the known one: whoever comes second is fenced.
    OpenLog {
        /// The log.
        log: LogId,
        /// Its next epoch.
        epoch: Epoch,
    },
    /// Records how far a log has got, before segments are dropped whose last LSNs no file holds:
    /// those LSNs must not be given out again.
    RecordLsn {
        /// The log.
        log: LogId,
        /// Its present epoch.
        epoch: Epoch,
        /// The largest LSN that it has given out.
        lsn: Lsn,
    },
    /// Creates the database, the tables and the columns that one request needs. Refused if any of
    /// them has changed since the request was checked.
    ChangeSchema(SchemaChange),
    /// Adds a file to a partition and thereby commits its LSN range, and changes the partition's
    /// sort key in the same step.
    AddFile(AddFile),
    /// Drops a table; its id is dead for good.
    DropTable {
        /// The table.
        table: TableId,
    },
    /// Drops a database with all its tables; all their ids are dead for good.
    DropDatabase {
        /// The database.
        database: DatabaseId,
    },
}

/// A file that is durable in the store, and what its commit depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddFile {
    /// The log that the rows come from.
    pub log: LogId,
    /// The epoch of the log's present opening; an older one is refused.
    pub epoch: Epoch,
    /// The largest LSN that the log has published.
    pub log_lsn: Lsn,
    /// The table.
    pub table: TableId,
    /// The partition; its row is made by its first file.
    pub partition: PartitionKey,
    /// The sort key that the file has been sorted under.
    pub sort_key: SortKeyChange,
    /// The file.
    pub file: NewFile,
}

/// A compare-and-swap of a partition's sort key.
///
/// | the partition's key now | outcome |
/// |---|---|
/// | equal to `new` | the file is added |
/// | equal to `expected` | the file is added and the key becomes `new` |
/// | anything else | [`Error::SortKeyConflict`](crate::Error::SortKeyConflict) with the key now |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKeyChange {
    /// What the sender believes the key to be; `None` for a partition without files. The empty key
    /// means the same there, because that is what a conflict with such a partition tells.
    pub expected: Option<SortKey>,
    /// What the file is sorted by.
    pub new: SortKey,
}
