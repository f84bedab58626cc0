//! Databases, their tables, and the tables' partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{
    DatabaseId, DatabaseName, FileId, LogId, LsnRange, PartitionId, PartitionKey, SortKey,
    TableName, TableSchema, Term,
};

use crate::file::File;

/// A database and its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// For ever.
    pub id: DatabaseId,
    /// What users say.
    pub name: DatabaseName,
    /// Its tables in name order.
    pub tables: BTreeMap<TableName, Arc<Table>>,
}

/// A table: its columns, and the partitions that have files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The newest version of its columns. Persist commits leave it alone.
    pub schema: Arc<TableSchema>,
    /// The partitions with files, in key order.
    pub partitions: BTreeMap<PartitionKey, Arc<Partition>>,
}

impl Table {
    /// A table without files.
    pub(crate) fn new(schema: Arc<TableSchema>) -> Self {
        Self { schema, partitions: BTreeMap::new() }
    }
}

/// A partition with at least one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Derived from the table's id and the key.
    pub id: PartitionId,
    /// What its rows share.
    pub key: PartitionKey,
    /// The order of its files' columns.
    pub sort_key: SortKey,
    /// Its files in (term, LSN) order, which is the order of their values.
    pub files: Vec<Arc<File>>,
}

impl Partition {
    /// The file called `id`.
    pub fn file(&self, id: FileId) -> Option<&Arc<File>> {
        self.files.iter().find(|file| file.id == id)
    }

    /// The LSN ranges of `log` that files hold, each with its term, in (term, LSN) order.
    pub fn lsns_of(&self, log: LogId) -> impl Iterator<Item = (Term, LsnRange)> {
        let files = self.files.iter().filter(move |file| file.log == log);
        files.map(|file| (file.term, file.lsns))
    }

    /// A file that holds LSNs of `lsns` of the same log and term.
    pub(crate) fn overlap(&self, log: LogId, term: Term, lsns: LsnRange) -> Option<&Arc<File>> {
        let holds =
            |file: &&Arc<File>| file.log == log && file.term == term && file.lsns.overlaps(lsns);
        self.files.iter().find(holds)
    }

    /// Puts `file` at its place in the order.
    pub(crate) fn insert(&mut self, file: File) {
        // Two logs share a term only if neither took over from the other; then their order says
        // nothing, but it has to be one order.
        let place = |file: &File| (file.term, file.lsns.first(), file.log);
        let at = self.files.partition_point(|held| place(held) < place(&file));
        self.files.insert(at, Arc::new(file));
    }
}
