//! One version of the catalog: an immutable root that shares all but one path with the one before.
//!
//! ```text
//!   Snapshot ─▶ databases ─▶ Database ─▶ tables ─▶ Table ─▶ partitions ─▶ Partition ─▶ files ─▶ File
//!        │          Arc         Arc                 Arc                      Arc                 Arc
//!        └─▶ indexes by id, dead ids, logs, remembered requests: an Arc each
//! ```
//!
//! A change copies the nodes from the root to what it touches (`Arc::make_mut`) and points to all
//! others. Who holds an older root keeps exactly what that version had.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{
    CatalogVersion, DatabaseId, DatabaseName, DatabaseRef, LogId, TableId, TableName, TableSchema,
};

use crate::log_entry::LogEntry;
use crate::requests::RequestWindow;
use crate::table::{Database, Table};

/// One version of the catalog. Cloning it, or better its `Arc`, is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub(crate) version: CatalogVersion,
    databases: Arc<BTreeMap<DatabaseName, Arc<Database>>>,
    database_names: Arc<BTreeMap<DatabaseId, DatabaseName>>,
    table_names: Arc<BTreeMap<TableId, (DatabaseName, TableName)>>,
    pub(crate) dead: Arc<DeadIds>,
    pub(crate) logs: Arc<BTreeMap<LogId, LogEntry>>,
    pub(crate) requests: RequestWindow,
}

/// Ids that were dropped, each with the version that did it. Batches that a log still holds for
/// them count as settled, for ever, so they are never forgotten: 16 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeadIds {
    pub(crate) databases: BTreeMap<DatabaseId, CatalogVersion>,
    pub(crate) tables: BTreeMap<TableId, CatalogVersion>,
}

impl Snapshot {
    /// The version: 0 for an empty catalog, one more with each commit.
    pub fn version(&self) -> CatalogVersion {
        self.version
    }

    /// The databases in name order.
    pub fn databases(&self) -> impl ExactSizeIterator<Item = &Arc<Database>> {
        self.databases.values()
    }

    /// The database called `name`.
    pub fn database(&self, name: &DatabaseName) -> Option<&Arc<Database>> {
        self.databases.get(name)
    }

    /// The database with this id.
    pub fn database_by_id(&self, id: DatabaseId) -> Option<&Arc<Database>> {
        self.database(self.database_names.get(&id)?)
    }

    /// The table with this id, and its database.
    pub fn table_by_id(&self, id: TableId) -> Option<(&Arc<Database>, &Arc<Table>)> {
        let (database, table) = self.table_names.get(&id)?;
        let database = self.database(database)?;
        Some((database, database.tables.get(table)?))
    }

    /// True if the table was dropped for good. An id that was never committed is not dead.
    pub fn is_dead(&self, table: TableId) -> bool {
        self.dropped_at(table).is_some()
    }

    /// The version that dropped the table.
    pub fn dropped_at(&self, table: TableId) -> Option<CatalogVersion> {
        self.dead.tables.get(&table).copied()
    }

    /// What is known about `log`.
    pub fn log(&self, log: LogId) -> Option<&LogEntry> {
        self.logs.get(&log)
    }

    /// All logs in the order of their ids.
    pub fn logs(&self) -> impl ExactSizeIterator<Item = (LogId, &LogEntry)> {
        self.logs.iter().map(|(log, entry)| (*log, entry))
    }

    /// True if the id names a database or once did, so that no other may have it.
    pub(crate) fn has_seen_database(&self, id: DatabaseId) -> bool {
        self.database_names.contains_key(&id) || self.dead.databases.contains_key(&id)
    }

    /// True if the id names a table or once did, so that no other may have it.
    pub(crate) fn has_seen_table(&self, id: TableId) -> bool {
        self.table_names.contains_key(&id) || self.is_dead(id)
    }

    /// The database, made if it is not there.
    pub(crate) fn database_mut(&mut self, database: &DatabaseRef) -> &mut Database {
        if !self.databases.contains_key(&database.name) {
            Arc::make_mut(&mut self.database_names).insert(database.id, database.name.clone());
        }
        let make = || {
            let DatabaseRef { id, name } = database.clone();
            Arc::new(Database { id, name, tables: BTreeMap::new() })
        };
        let databases = Arc::make_mut(&mut self.databases);
        Arc::make_mut(databases.entry(database.name.clone()).or_insert_with(make))
    }

    /// Gives a table its next schema; makes the table if it is not there.
    pub(crate) fn put_schema(&mut self, database: &DatabaseRef, schema: Arc<TableSchema>) {
        let table = schema.table.clone();
        if !self.table_names.contains_key(&table.id) {
            let location = (database.name.clone(), table.name.clone());
            Arc::make_mut(&mut self.table_names).insert(table.id, location);
        }
        let tables = &mut self.database_mut(database).tables;
        match tables.get_mut(&table.name) {
            Some(held) => Arc::make_mut(held).schema = schema,
            None => {
                tables.insert(table.name, Arc::new(Table::new(schema)));
            }
        }
    }

    /// The table with this id, with the path to it copied.
    pub(crate) fn table_mut(&mut self, id: TableId) -> Option<&mut Table> {
        let (database, table) = self.table_names.get(&id)?;
        let database = Arc::make_mut(&mut self.databases).get_mut(database)?;
        Arc::make_mut(database).tables.get_mut(table).map(Arc::make_mut)
    }

    /// Takes a table out of its database and out of the index; its id is dead from `at`.
    pub(crate) fn remove_table(&mut self, id: TableId, at: CatalogVersion) {
        let removed = Arc::make_mut(&mut self.table_names).remove(&id);
        let Some((database, table)) = removed else { return };
        if let Some(database) = Arc::make_mut(&mut self.databases).get_mut(&database) {
            Arc::make_mut(database).tables.remove(&table);
        }
        Arc::make_mut(&mut self.dead).tables.insert(id, at);
    }

    /// Takes a database out with all its tables; all their ids are dead from `at`.
    pub(crate) fn remove_database(&mut self, id: DatabaseId, at: CatalogVersion) {
        let removed = Arc::make_mut(&mut self.database_names).remove(&id);
        let Some(name) = removed else { return };
        let dead = Arc::make_mut(&mut self.dead);
        dead.databases.insert(id, at);
        let database = Arc::make_mut(&mut self.databases).remove(&name);
        for table in database.iter().flat_map(|database| database.tables.values()) {
            let id = table.schema.table.id;
            dead.tables.insert(id, at);
            Arc::make_mut(&mut self.table_names).remove(&id);
        }
    }
}
