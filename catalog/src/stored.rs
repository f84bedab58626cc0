//! Version 1 of a snapshot as it is stored: what the model holds, once each, nothing derived.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::{
    CatalogVersion, DatabaseId, DatabaseName, DatabaseRef, Epoch, LogId, PartitionId, PartitionKey,
    RequestId, SortKey, TableId, TableSchema,
};

use crate::damage::Damage;
use crate::file::File;
use crate::log_entry::LogEntry;
use crate::requests::RequestWindow;
use crate::snapshot::{DeadIds, Snapshot};
use crate::table::{Database, Partition, Table};

/// A whole catalog, and the log that it was made from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredSnapshot {
    /// The log whose LSNs are the versions.
    pub(crate) log: LogId,
    /// The epoch of that log in which the snapshot was taken.
    pub(crate) epoch: Epoch,
    /// The version, which is the LSN of the last command in it.
    pub(crate) version: CatalogVersion,
    databases: Vec<StoredDatabase>,
    dead_databases: BTreeMap<DatabaseId, CatalogVersion>,
    dead_tables: BTreeMap<TableId, CatalogVersion>,
    logs: BTreeMap<LogId, LogEntry>,
    /// Oldest first.
    requests: Vec<(RequestId, CatalogVersion)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredDatabase {
    id: DatabaseId,
    name: DatabaseName,
    tables: Vec<StoredTable>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredTable {
    schema: Arc<TableSchema>,
    partitions: Vec<StoredPartition>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredPartition {
    key: PartitionKey,
    sort_key: SortKey,
    files: Vec<Arc<File>>,
}

impl StoredSnapshot {
    /// The stored form of `root`.
    pub(crate) fn new(log: LogId, epoch: Epoch, root: &Snapshot) -> Self {
        Self {
            log,
            epoch,
            version: root.version(),
            databases: root.databases().map(|database| database.as_ref().into()).collect(),
            dead_databases: root.dead.databases.clone(),
            dead_tables: root.dead.tables.clone(),
            logs: root.logs.as_ref().clone(),
            requests: root.requests.entries(),
        }
    }

    /// The root that was stored.
    pub(crate) fn into_root(self) -> Result<Snapshot, Damage> {
        let mut requests = RequestWindow::default();
        for (request, version) in self.requests {
            requests.remember(request, version);
        }
        let dead = DeadIds { databases: self.dead_databases, tables: self.dead_tables };
        let mut root = Snapshot::default();
        root.version = self.version;
        root.dead = Arc::new(dead);
        root.logs = Arc::new(self.logs);
        root.requests = requests;
        for database in self.databases {
            database.put_into(&mut root)?;
        }
        Ok(root)
    }
}

impl StoredDatabase {
    fn put_into(self, root: &mut Snapshot) -> Result<(), Damage> {
        let Self { id, name, tables } = self;
        if root.has_seen_database(id) || root.database(&name).is_some() {
            return Err(contradiction("database", &name));
        }
        let database = DatabaseRef { id, name };
        root.database_mut(&database);
        for table in tables {
            table.put_into(root, &database)?;
        }
        Ok(())
    }
}

impl StoredTable {
    fn put_into(self, root: &mut Snapshot, database: &DatabaseRef) -> Result<(), Damage> {
        let id = self.schema.table.id;
        let name = self.schema.table.name.clone();
        let is_taken = root.database_mut(database).tables.contains_key(&name);
        if is_taken || root.has_seen_table(id) {
            return Err(contradiction("table", &name));
        }
        root.put_schema(database, self.schema);
        let Some(table) = root.table_mut(id) else {
            return Err(contradiction("table", &name));
        };
        for partition in self.partitions {
            let partition = partition.into_partition(id)?;
            if let Some(twice) = table.partitions.insert(partition.key.clone(), partition) {
                return Err(contradiction("partition", &twice.key));
            }
        }
        Ok(())
    }
}

impl StoredPartition {
    fn into_partition(self, table: TableId) -> Result<Arc<Partition>, Damage> {
        let Self { key, sort_key, files } = self;
        let is_before = |pair: &[Arc<File>]| {
            let [first, second] = pair else { return true };
            (first.term, first.lsns.first()) <= (second.term, second.lsns.first())
        };
        if !files.windows(2).all(is_before) {
            return Err(contradiction("a file of partition", &key));
        }
        Ok(Arc::new(Partition { id: PartitionId::of(table, &key), key, sort_key, files }))
    }
}

impl From<&Database> for StoredDatabase {
    fn from(database: &Database) -> Self {
        Self {
            id: database.id,
            name: database.name.clone(),
            tables: database.tables.values().map(|table| table.as_ref().into()).collect(),
        }
    }
}

impl From<&Table> for StoredTable {
    fn from(table: &Table) -> Self {
        let partitions = table.partitions.values();
        Self {
            schema: Arc::clone(&table.schema),
            partitions: partitions.map(|partition| partition.as_ref().into()).collect(),
        }
    }
}

impl From<&Partition> for StoredPartition {
    fn from(partition: &Partition) -> Self {
        Self {
            key: partition.key.clone(),
            sort_key: partition.sort_key.clone(),
            files: partition.files.clone(),
        }
    }
}

fn contradiction(kind: &str, name: &dyn std::fmt::Display) -> Damage {
    Damage::Contradiction { what: format!("{kind} {name}") }
}
