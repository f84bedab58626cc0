//! The catalog as flat tables, written for plainness and not for speed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use types::schema::TableChange;
use types::{ColumnKind, DatabaseId, Epoch, Lsn, RequestId, SchemaChange, TableId, Term};

use crate::command::{Action, AddFile, Command, SortKeyChange};
use crate::config::Limits;
use crate::conformance::{
    Columns, add_file, change_columns, create, database, file, log, partition, sort_key, table,
};
use crate::file::NewFile;
use crate::snapshot::Snapshot;

type LogName = types::LogId;
type Place = (TableId, String);

/// A table's row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    database: String,
    name: String,
    version: u64,
    columns: BTreeMap<String, ColumnKind>,
}

/// A file's row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileRow {
    add: AddFile,
    added_at: u64,
}

/// All of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    version: u64,
    databases: BTreeMap<String, DatabaseId>,
    tables: BTreeMap<TableId, Row>,
    keys: BTreeMap<Place, String>,
    files: BTreeMap<Place, Vec<FileRow>>,
    dead: BTreeMap<TableId, u64>,
    logs: BTreeMap<LogName, (u64, u64)>,
    dead_databases: BTreeMap<DatabaseId, u64>,
    requests: BTreeMap<RequestId, u64>,
}

impl Model {
    /// Version and whether it was a repetition; `None` if refused.
    pub(super) fn apply(&mut self, command: &Command, limits: &Limits) -> Option<(u64, bool)> {
        if let Some(version) = self.requests.get(&command.request) {
            return Some((*version, true));
        }
        let mut next = self.clone();
        next.version += 1;
        let repeated = match &command.action {
            Action::OpenLog { log, epoch } => next.open(*log, *epoch)?,
            Action::RecordLsn { log, epoch, lsn } => next.record(*log, *epoch, *lsn)?,
            Action::ChangeSchema(change) => next.change(change, limits)?,
            Action::AddFile(add) => next.add(add)?,
            Action::DropTable { table } => next.drop_table(*table)?,
            Action::DropDatabase { database } => next.drop_database(*database)?,
        };
        if let Some(version) = repeated {
            return Some((version, true));
        }
        next.requests.insert(command.request, next.version);
        *self = next;
        Some((self.version, false))
    }

    fn open(&mut self, log: LogName, epoch: Epoch) -> Option<Option<u64>> {
        let (known, lsn) = self.logs.get(&log).copied().unwrap_or_default();
        (epoch.get() > known).then(|| self.logs.insert(log, (epoch.get(), lsn)))?;
        Some(None)
    }

    fn record(&mut self, log: LogName, epoch: Epoch, lsn: Lsn) -> Option<Option<u64>> {
        let (known, largest) = self.logs.get_mut(&log)?;
        (*known == epoch.get()).then(|| *largest = lsn.get().max(*largest))?;
        Some(None)
    }

    fn change(&mut self, change: &SchemaChange, limits: &Limits) -> Option<Option<u64>> {
        let name = change.database.name.to_string();
        let id = change.database.id;
        let is_new = !self.databases.contains_key(&name);
        let is_taken = self.databases.values().any(|held| *held == id);
        if is_new && (!change.create_database || is_taken || self.dead_databases.contains_key(&id))
        {
            return None;
        }
        if *self.databases.entry(name.clone()).or_insert(id) != id {
            return None;
        }
        let mut named = BTreeSet::new();
        for table in &change.tables {
            named.insert(table.table.id).then_some(())?;
            self.change_table(&name, table)?;
        }
        let of_database = self.tables.values().filter(|row| row.database == name).count();
        let columns = self.tables.values().map(|row| row.columns.len()).max().unwrap_or(0);
        let fits = self.databases.len() <= limits.databases_max
            && of_database <= limits.tables_max
            && columns <= limits.columns_max;
        fits.then_some(None)
    }

    fn change_table(&mut self, database: &str, change: &TableChange) -> Option<()> {
        let (id, name) = (change.table.id, change.table.name.to_string());
        let mut same_name =
            self.tables.iter().filter(|(_, row)| row.database == database && row.name == name);
        if same_name.any(|(held, _)| *held != id) || self.dead.contains_key(&id) {
            return None;
        }
        let time = BTreeMap::from([("time".to_owned(), ColumnKind::Time)]);
        let new = Row { database: database.to_owned(), name, version: 0, columns: time };
        let row = self.tables.entry(id).or_insert_with(|| new.clone());
        let is_same = row.database == new.database && row.name == new.name;
        if !is_same || row.version != change.based_on.get() {
            return None;
        }
        row.version += 1;
        for column in &change.add {
            let kind = row.columns.entry(column.name.to_string()).or_insert(column.kind);
            (*kind == column.kind).then_some(())?;
        }
        Some(())
    }

    fn add(&mut self, add: &AddFile) -> Option<Option<u64>> {
        let place = (add.table, add.partition.to_string());
        let files = self.files.get(&place).cloned().unwrap_or_default();
        if let Some(held) = files.iter().find(|held| held.add.file.id == add.file.id) {
            let is_same = held.add.file == add.file && held.add.log == add.log;
            return is_same.then_some(Some(held.added_at));
        }
        let (epoch, largest) = self.logs.get_mut(&add.log)?;
        if *epoch != add.epoch.get() || !self.tables.contains_key(&add.table) {
            return None;
        }
        let meets = |held: &AddFile| {
            held.log == add.log
                && held.file.term == add.file.term
                && held.file.lsns.first() <= add.file.lsns.last()
                && add.file.lsns.first() <= held.file.lsns.last()
        };
        let SortKeyChange { expected, new } = &add.sort_key;
        let expected = expected.clone().unwrap_or_default().to_string();
        let swaps = match self.keys.get(&place) {
            // An absent expectation only meets an absent key.
            Some(now) if add.sort_key.expected.is_none() => *now == new.to_string(),
            Some(now) => *now == new.to_string() || *now == expected,
            None => expected == "time",
        };
        if files.iter().any(|held| meets(&held.add)) || !swaps {
            return None;
        }
        *largest = (*largest).max(add.log_lsn.get()).max(add.file.lsns.last().get());
        self.keys.insert(place.clone(), new.to_string());
        let row = FileRow { add: add.clone(), added_at: self.version };
        self.files.entry(place).or_default().push(row);
        Some(None)
    }

    fn drop_table(&mut self, table: TableId) -> Option<Option<u64>> {
        if let Some(version) = self.dead.get(&table) {
            return Some(Some(*version));
        }
        self.tables.remove(&table)?;
        self.dead.insert(table, self.version);
        self.keys.retain(|(of, _), _| *of != table);
        self.files.retain(|(of, _), _| *of != table);
        Some(None)
    }

    fn drop_database(&mut self, id: DatabaseId) -> Option<Option<u64>> {
        if let Some(version) = self.dead_databases.get(&id) {
            return Some(Some(*version));
        }
        let (name, _) = self.databases.iter().find(|(_, held)| **held == id)?;
        let name = name.clone();
        let tables = self.tables.iter().filter(|(_, row)| row.database == name);
        for table in tables.map(|(table, _)| *table).collect::<Vec<_>>() {
            self.drop_table(table)?;
        }
        self.databases.remove(&name);
        self.dead_databases.insert(id, self.version);
        Some(None)
    }

    /// What a snapshot shows: all but the remembered requests and the dead databases, and of each
    /// file what the catalog keeps.
    pub(super) fn visible(&self) -> Visible {
        let file = |held: &FileRow| {
            let AddFile { log, epoch, file, .. } = &held.add;
            (file.clone(), *log, *epoch, held.added_at)
        };
        let mut files = BTreeMap::new();
        for (place, held) in &self.files {
            let mut rows: Vec<_> = held.iter().map(file).collect();
            rows.sort_by_key(|(file, log, ..)| (file.term, file.lsns.first(), *log));
            files.insert(place.clone(), rows);
        }
        Visible {
            version: self.version,
            databases: self.databases.clone(),
            tables: self.tables.clone(),
            keys: self.keys.clone(),
            files,
            dead: self.dead.clone(),
            logs: self.logs.clone(),
        }
    }

    /// The same of a snapshot.
    pub(super) fn of(root: &Snapshot) -> Visible {
        let mut seen = Visible { version: root.version().get(), ..Visible::default() };
        for database in root.databases() {
            seen.databases.insert(database.name.to_string(), database.id);
            for table in database.tables.values() {
                seen.see_table(database.name.as_str(), table);
            }
        }
        seen.dead = root.dead.tables.iter().map(|(id, at)| (*id, at.get())).collect();
        let log =
            |(log, entry): (LogName, &crate::LogEntry)| (log, (entry.epoch.get(), entry.lsn.get()));
        seen.logs = root.logs().map(log).collect();
        seen
    }
}

/// What both are compared by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Visible {
    version: u64,
    databases: BTreeMap<String, DatabaseId>,
    tables: BTreeMap<TableId, Row>,
    keys: BTreeMap<Place, String>,
    files: BTreeMap<Place, Vec<(NewFile, LogName, Epoch, u64)>>,
    dead: BTreeMap<TableId, u64>,
    logs: BTreeMap<LogName, (u64, u64)>,
}

impl Visible {
    fn see_table(&mut self, database: &str, table: &crate::Table) {
        let id = table.schema.table.id;
        let columns = table.schema.columns().map(|(name, kind)| (name.to_string(), kind));
        let row = Row {
            database: database.to_owned(),
            name: table.schema.table.name.to_string(),
            version: table.schema.version.get(),
            columns: columns.collect(),
        };
        self.tables.insert(id, row);
        for partition in table.partitions.values() {
            let place = (id, partition.key.to_string());
            self.keys.insert(place.clone(), partition.sort_key.to_string());
            self.files.insert(place, partition.files.iter().map(|file| seen_file(file)).collect());
        }
    }
}

fn seen_file(file: &crate::File) -> (NewFile, LogName, Epoch, u64) {
    let shown = NewFile {
        id: file.id,
        path: file.path.clone(),
        kind: file.kind,
        term: file.term,
        lsns: file.lsns,
        rows: file.rows,
        bytes: file.bytes,
        time_min: file.time_min,
        time_max: file.time_max,
        checksums: file.checksums.clone(),
    };
    (shown, file.log, file.epoch, file.added_at.get())
}

/// Sequences of commands over few names, so that they meet.
pub(super) fn commands() -> impl Strategy<Value = Vec<Command>> {
    let request = (0..400_u64).prop_map(|n| RequestId::from_random(0, n));
    let command = (request, action()).prop_map(|(request, action)| Command { request, action });
    prop::collection::vec(command, 1..60)
}

fn action() -> impl Strategy<Value = Action> {
    let log_epoch = (1..3_u64, 0..4_u64).prop_map(|(n, epoch)| (log(n), Epoch::new(epoch)));
    let open = log_epoch.clone().prop_map(|(log, epoch)| Action::OpenLog { log, epoch });
    let record = (log_epoch, 0..30_u64).prop_map(|((log, epoch), lsn)| {
        let lsn = Lsn::new(lsn);
        Action::RecordLsn { log, epoch, lsn }
    });
    let drop_table = (1..5_u64).prop_map(|n| Action::DropTable { table: table(n).id });
    let drop_database = (1..4_u64).prop_map(|n| Action::DropDatabase { database: database(n).id });
    prop_oneof![
        3 => open,
        1 => record,
        4 => creation(),
        4 => column_change(),
        12 => file_addition(),
        1 => drop_table,
        1 => drop_database,
    ]
}

fn creation() -> impl Strategy<Value = Action> {
    (1..4_u64, prop::collection::vec(1..5_u64, 0..3)).prop_map(|(name, tables)| {
        create(database(name), &tables.into_iter().map(table).collect::<Vec<_>>())
    })
}

fn column_change() -> impl Strategy<Value = Action> {
    const TAGS: [&str; 4] = ["a", "b", "c", "value"];
    let change = (1..5_u64, 1..5_u64, 0..3_u64, 0..4_usize);
    (1..3_u64, prop::collection::vec(change, 1..3)).prop_map(|(name, changes)| {
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(id, called, based_on, tag)| {
                // Most tables are called by their own name.
                let called = if tag == 0 { called } else { id };
                let table = types::TableRef { id: table(id).id, name: table(called).name };
                (table, based_on, Columns { tags: &TAGS[tag..=tag], fields: &[] })
            })
            .collect();
        change_columns(database(name), &changes)
    })
}

fn file_addition() -> impl Strategy<Value = Action> {
    let place = (1..3_u64, 0..2_i64, 1..3_u64, 1..3_u64);
    let shape = (0..20_u64, 0..2_u64, 0..20_u64, 0..3_u64);
    let keys = (prop::option::of(0..3_usize), 0..3_usize);
    (place, shape, keys).prop_map(|((of, day, of_log, epoch), (n, term, first, more), keys)| {
        let key = |n: usize| sort_key(&["host", "rack"][..n]);
        let file = NewFile { term: Term::new(term), ..file(n, first, first + more) };
        Action::AddFile(AddFile {
            log: log(of_log),
            epoch: Epoch::new(epoch),
            table: table(of).id,
            partition: partition(day),
            sort_key: SortKeyChange { expected: keys.0.map(key), new: key(keys.1) },
            ..add_file(file)
        })
    })
}
