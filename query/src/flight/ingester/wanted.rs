//! What a querier wants of the buffer, checked.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use catalog::{File, Snapshot, Table};
use types::{
    CatalogVersion, DatabaseName, LogId, LsnRange, PartitionKey, Position, TableId, TableName,
};

use crate::error::Error;
use crate::flight::ticket::wrong;
use crate::proto::IngesterTicket;

/// A ticket whose parts are what they have to be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) database: DatabaseName,
    pub(super) table: TableName,
    pub(super) version: CatalogVersion,
    pub(super) position: Option<Position>,
    pub(super) times: Option<RangeInclusive<i64>>,
    table_id: Option<TableId>,
    /// All, if there is none.
    columns: BTreeSet<String>,
}

impl Wanted {
    /// Checks `ticket`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] with what is wrong.
    pub(super) fn new(ticket: IngesterTicket) -> Result<Self, Error> {
        let position = ticket.position.as_deref().map(str::parse).transpose();
        Ok(Self {
            database: DatabaseName::new(&ticket.database).map_err(|error| wrong(&error))?,
            table: TableName::new(&ticket.table).map_err(|error| wrong(&error))?,
            version: CatalogVersion::new(ticket.catalog_version),
            position: position.map_err(|error| wrong(&error))?,
            times: ticket.time_range.map(|range| range.first..=range.last),
            table_id: ticket.table_id.map(TableId::new),
            columns: ticket.columns.into_iter().collect(),
        })
    }

    /// The table in `snapshot`.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseNotFound`] and [`Error::TableNotFound`], also if another table has its name
    /// now.
    pub(super) fn table_in(&self, snapshot: &Snapshot) -> Result<Arc<Table>, Error> {
        let database = snapshot.database(&self.database);
        let database =
            database.ok_or_else(|| Error::DatabaseNotFound { database: self.database.clone() })?;
        let table = database.tables.get(&self.table);
        let is_wanted = |table: &&Arc<Table>| {
            self.table_id.is_none_or(|wanted| table.schema.table.id == wanted)
        };
        let table = table.filter(is_wanted).ok_or_else(|| Error::TableNotFound {
            database: self.database.to_string(),
            table: self.table.to_string(),
        })?;
        Ok(Arc::clone(table))
    }

    /// The columns of `table` that are wanted.
    pub(super) fn columns_of(&self, table: &Table) -> Vec<FieldRef> {
        let wants =
            |field: &&FieldRef| self.columns.is_empty() || self.columns.contains(field.name());
        table.schema.arrow().fields().iter().filter(wants).cloned().collect()
    }

    /// What the files of the wanted version hold of `log` in the partition `key` of `table`.
    pub(super) fn in_files(&self, table: &Table, key: &PartitionKey, log: LogId) -> Vec<LsnRange> {
        let files = table.partitions.get(key).into_iter().flat_map(|found| &found.files);
        let is_seen = |file: &&Arc<File>| file.log == log && file.added_at <= self.version;
        files.filter(is_seen).map(|file| file.lsns).collect()
    }
}
