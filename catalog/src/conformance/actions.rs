//! Actions for tests, from small numbers.

use types::schema::TableChange;
use types::{
    ColumnDef, ColumnKind, ColumnName, DatabaseId, DatabaseName, DatabaseRef, Epoch, FieldType,
    FileId, LogId, Lsn, LsnRange, PartitionKey, SchemaChange, SchemaVersion, SortKey, TableId,
    TableName, TableRef, Term,
};

use crate::checksums::BlockChecksums;
use crate::command::{Action, AddFile, SortKeyChange};
use crate::file::{FileKind, NewFile};

/// The database `n`, called `db<n>`.
pub fn database(n: u64) -> DatabaseRef {
    let name = DatabaseName::new(&format!("db{n}")).expect("a good name");
    DatabaseRef { id: DatabaseId::new(n), name }
}

/// The table `n`, called `table<n>`.
pub fn table(n: u64) -> TableRef {
    let name = TableName::new(&format!("table{n}")).expect("a good name");
    TableRef { id: TableId::new(n), name }
}

/// The log `n`.
pub fn log(n: u64) -> LogId {
    LogId::from_random(0x1060, n)
}

/// The partition of day `n`.
pub fn partition(n: i64) -> PartitionKey {
    PartitionKey::of_day(n)
}

/// The sort key of these tags.
pub fn sort_key(tags: &[&str]) -> SortKey {
    SortKey::new(tags.iter().map(|tag| column_name(tag)).collect())
}

fn column_name(name: &str) -> ColumnName {
    ColumnName::new(name).expect("a good name")
}

/// Columns to add: tags and float fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// Names of tags.
    pub tags: &'a [&'a str],
    /// Names of fields.
    pub fields: &'a [&'a str],
}

impl Columns<'_> {
    fn defs(&self) -> Vec<ColumnDef> {
        let def = |kind| move |name: &&str| ColumnDef { name: column_name(name), kind };
        let tags = self.tags.iter().map(def(ColumnKind::Tag));
        tags.chain(self.fields.iter().map(def(ColumnKind::Field(FieldType::F64)))).collect()
    }
}

/// Creates `database` with `tables`, each with a tag `host` and a field `value`.
pub fn create(database: DatabaseRef, tables: &[TableRef]) -> Action {
    let columns = Columns { tags: &["host"], fields: &["value"] };
    let change = |table: &TableRef| TableChange {
        table: table.clone(),
        based_on: SchemaVersion::ZERO,
        add: columns.defs(),
    };
    let tables = tables.iter().map(change).collect();
    Action::ChangeSchema(SchemaChange { database, create_database: true, tables })
}

/// Adds columns to tables of a database that is there, each based on a version.
pub fn change_columns(database: DatabaseRef, tables: &[(TableRef, u64, Columns<'_>)]) -> Action {
    let change = |(table, based_on, columns): &(TableRef, u64, Columns<'_>)| TableChange {
        table: table.clone(),
        based_on: SchemaVersion::new(*based_on),
        add: columns.defs(),
    };
    let tables = tables.iter().map(change).collect();
    Action::ChangeSchema(SchemaChange { database, create_database: false, tables })
}

/// Opens the log 1 under `epoch`.
pub fn open_log(epoch: u64) -> Action {
    Action::OpenLog { log: log(1), epoch: Epoch::new(epoch) }
}

/// The Parquet file `n` of term 0 with the LSNs from `first` to `last`.
pub fn file(n: u64, first: u64, last: u64) -> NewFile {
    let id = FileId::from_random(0xf11e, n);
    NewFile {
        path: format!("data/{id}.parquet"),
        id,
        kind: FileKind::Parquet,
        term: Term::ZERO,
        lsns: LsnRange::new(Lsn::new(first), Lsn::new(last)),
        rows: 1_000,
        bytes: 4_200,
        time_min: 0,
        time_max: 999,
        checksums: BlockChecksums::default(),
    }
}

/// Adds `file` to the partition of day 0 of table 1, from log 1 under epoch 1, sorted by `host`.
pub fn add_file(file: NewFile) -> AddFile {
    AddFile {
        log: log(1),
        epoch: Epoch::new(1),
        log_lsn: file.lsns.last(),
        table: table(1).id,
        partition: partition(0),
        sort_key: SortKeyChange { expected: None, new: sort_key(&["host"]) },
        file,
    }
}
