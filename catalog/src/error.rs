//! What can go wrong with the catalog, and what a caller has to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use types::{
    CatalogVersion, ColumnKind, ColumnName, DatabaseName, Epoch, ErrorKind, FileId, LogId,
    LsnRange, SortKey, TableId, TableName,
};

use crate::damage::{Damage, Place};

/// A limit of the catalog, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Databases in all.
    Databases,
    /// Tables of one database.
    Tables,
    /// Columns of one table.
    Columns,
    /// Bytes of one command.
    CommandBytes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Databases => "databases",
            Self::Tables => "tables a database",
            Self::Columns => "columns a table",
            Self::CommandBytes => "bytes a catalog command",
        })
    }
}

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database or a table is not as it was when the change was checked: check again against
    /// the newest version.
    #[error("database {database:?}{} is not as it was checked", of_table(table.as_ref()))]
    SchemaConflict {
        /// The database that was to be changed.
        database: DatabaseName,
        /// The table that differs; `None` if it is the database itself.
        table: Option<TableName>,
    },
    /// A column that is added is there already with another kind, or is added twice.
    #[error("column {column:?} of table {table:?} cannot become a {kind}: it is there already")]
    ColumnConflict {
        /// The table.
        table: TableName,
        /// The column.
        column: ColumnName,
        /// The kind that was asked for.
        kind: ColumnKind,
    },
    /// The partition has another sort key than the file: sort again under the observed one.
    #[error("the partition's sort key is ({observed}) and not the one expected")]
    SortKeyConflict {
        /// The key now; empty for a partition without files.
        observed: SortKey,
    },
    /// Somebody else has opened the log since: this one must not write any more.
    #[error("epoch {epoch} of log {log} is fenced: the catalog knows epoch {current}")]
    Fenced {
        /// The log.
        log: LogId,
        /// The epoch of the command.
        epoch: Epoch,
        /// The epoch that the catalog knows.
        current: Epoch,
    },
    /// The epoch was never registered: the log or the catalog comes from an older copy.
    #[error("epoch {epoch} of log {log} is not registered in the catalog")]
    UnknownEpoch {
        /// The log.
        log: LogId,
        /// The epoch of the command.
        epoch: Epoch,
    },
    /// The partition has a file with some of these LSNs already.
    #[error("LSNs {lsns} of the partition are in file {file} already")]
    Overlap {
        /// The LSNs of the file that was to be added.
        lsns: LsnRange,
        /// The file that has some of them.
        file: FileId,
    },
    /// The partition has a file of this id that is not the one to be added.
    #[error("file {file} is in the catalog already, and is not the same")]
    FileDiffers {
        /// The id of both.
        file: FileId,
    },
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// `table` or `database`.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The table was dropped for good.
    #[error("table {table} was dropped at catalog version {version}")]
    DeadTable {
        /// The table.
        table: TableId,
        /// The version that dropped it.
        version: CatalogVersion,
    },
    /// There is as much of it as there may be.
    #[error("the limit of {max} {limit} is reached{}", of_table(table.as_ref()))]
    Limit {
        /// Which limit.
        limit: Limit,
        /// The configured value.
        max: usize,
        /// The table that would go over it, where it is a table.
        table: Option<TableName>,
    },
    /// The catalog takes no command now; nothing was kept.
    #[error("the catalog takes no command now: {reason}")]
    Busy {
        /// Why.
        reason: String,
    },
    /// The command may or may not have happened: send it again under the same request id.
    #[error("the outcome of the catalog command is not known")]
    Unknown,
    /// The catalog was closed; nothing was kept.
    #[error("the catalog is closed")]
    Closed,
    /// A command or a snapshot has no JSON, which no value of these types should bring about.
    #[error("cannot encode for the catalog")]
    Unencodable {
        /// What the encoder says.
        source: serde_json::Error,
    },
    /// Stored bytes are not what was written. Nothing on disk was changed.
    #[error("the catalog is corrupt: {} at {place}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong there.
        #[source]
        why: Damage,
    },
    /// The catalog's log, or the disk under it, failed.
    #[error(transparent)]
    Log(#[from] wal::Error),
}

/// The part of a message that names a table.
fn of_table(table: Option<&TableName>) -> String {
    table.map_or_else(String::new, |table| format!(" (table {table:?})"))
}

impl Error {
    /// What a caller has to do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::SchemaConflict { .. }
            | Self::ColumnConflict { .. }
            | Self::SortKeyConflict { .. }
            | Self::Overlap { .. }
            | Self::FileDiffers { .. }
            | Self::NotFound { .. }
            | Self::DeadTable { .. }
            | Self::Limit { .. }
            | Self::Unencodable { .. } => ErrorKind::Rejected,
            Self::Fenced { .. } | Self::UnknownEpoch { .. } => ErrorKind::Fenced,
            Self::Busy { .. } | Self::Closed => ErrorKind::Busy,
            Self::Unknown => ErrorKind::Unknown,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Log(error) => error.kind(),
        }
    }

    /// Says what is wrong with a file.
    pub(crate) fn corrupt(path: &Path, place: Place, why: Damage) -> Self {
        Self::Corrupt { path: path.to_owned(), place, why }
    }
}
