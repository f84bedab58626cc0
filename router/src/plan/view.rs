//! What a request is checked against: one version of one database.

use std::sync::Arc;

use catalog::{Database, Snapshot};
use types::{DatabaseName, TableSchema};

/// One database in one catalog version.
#[derive(Clone, Debug)]
pub(crate) struct View {
    name: DatabaseName,
    database: Option<Arc<Database>>,
    databases: usize,
}

impl View {
    /// The database called `name` in `snapshot`.
    pub(crate) fn new(snapshot: &Snapshot, name: DatabaseName) -> Self {
        Self {
            database: snapshot.database(&name).cloned(),
            databases: snapshot.databases().count(),
            name,
        }
    }

    /// The database's name.
    pub(crate) const fn name(&self) -> &DatabaseName {
        &self.name
    }

    /// The database, if it is there.
    pub(crate) fn database(&self) -> Option<&Database> {
        self.database.as_deref()
    }

    /// How many databases there are.
    pub(crate) const fn databases(&self) -> usize {
        self.databases
    }

    /// How many tables the database has.
    pub(crate) fn tables(&self) -> usize {
        self.database().map_or(0, |database| database.tables.len())
    }

    /// The columns of the table called `name`, if it is there.
    pub(crate) fn schema(&self, name: &str) -> Option<&TableSchema> {
        let table = self.database()?.tables.get(name)?;
        Some(&table.schema)
    }
}
