//! What a commit costs, counted in nodes that the new root does not share with the old one.

use std::sync::Arc;

use types::RequestId;

use crate::command::{Action, AddFile, Command};
use crate::config::Limits;
use crate::conformance::{add_file, create, database, file, open_log, partition, table};
use crate::snapshot::Snapshot;
use crate::table::{Database, Partition, Table};

/// Nodes that are in the new root only.
#[derive(Debug, Default, PartialEq, Eq)]
struct Copied {
    databases: usize,
    tables: usize,
    partitions: usize,
    files: usize,
}

impl Copied {
    fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let mut copied = Self::default();
        for database in new.databases() {
            let before = old.database(&database.name);
            if before.is_none_or(|before| !Arc::ptr_eq(before, database)) {
                copied.databases += 1;
                copied.in_database(before, database);
            }
        }
        copied
    }

    fn in_database(&mut self, old: Option<&Arc<Database>>, new: &Database) {
        for (name, table) in &new.tables {
            let before = old.and_then(|old| old.tables.get(name));
            if before.is_none_or(|before| !Arc::ptr_eq(before, table)) {
                self.tables += 1;
                self.in_table(before, table);
            }
        }
    }

    fn in_table(&mut self, old: Option<&Arc<Table>>, new: &Table) {
        for (key, partition) in &new.partitions {
            let before = old.and_then(|old| old.partitions.get(key));
            if before.is_none_or(|before| !Arc::ptr_eq(before, partition)) {
                self.partitions += 1;
                self.in_partition(before, partition);
            }
        }
    }

    fn in_partition(&mut self, old: Option<&Arc<Partition>>, new: &Partition) {
        let is_shared =
            |file| old.is_some_and(|old| old.files.iter().any(|before| Arc::ptr_eq(before, file)));
        self.files += new.files.iter().filter(|file| !is_shared(file)).count();
    }
}

const ONE_PATH: Copied = Copied { databases: 1, tables: 1, partitions: 1, files: 1 };

fn apply(root: &mut Snapshot, n: u64, action: Action) {
    let command = Command { request: RequestId::from_random(1, n), action };
    root.apply(&command, &Limits::default()).expect("it is in order");
}

/// Two databases of ten tables each, and a log.
fn with_tables() -> Snapshot {
    let mut root = Snapshot::default();
    let tables = |from: u64| (from..from + 10).map(table).collect::<Vec<_>>();
    apply(&mut root, 1, create(database(1), &tables(1)));
    apply(&mut root, 2, create(database(2), &tables(101)));
    apply(&mut root, 3, open_log(1));
    root
}

fn add(n: u64, days: u64) -> Action {
    let day = i64::try_from(n % days).expect("it is small");
    Action::AddFile(AddFile { partition: partition(day), ..add_file(file(n, n, n)) })
}

#[test]
fn a_commit_copies_one_path_however_many_partitions_there_are() {
    const PARTITIONS: u64 = 1_000;
    let mut root = with_tables();
    for n in 1..=3 * PARTITIONS {
        // Somebody holds the old root, as readers do: whatever is changed has to be copied.
        let before = root.clone();
        apply(&mut root, 10 + n, add(n, PARTITIONS));
        assert_eq!(Copied::between(&before, &root), ONE_PATH, "at file {n}");
    }
    let (_, held) = root.table_by_id(table(1).id).expect("it is there");
    assert_eq!(held.partitions.len(), 1_000);
    assert!(held.partitions.values().all(|partition| partition.files.len() == 3));
}

#[test]
fn the_commands_of_a_batch_copy_a_path_once() {
    let mut root = with_tables();
    apply(&mut root, 4, add(1, 1));
    let published = root.clone();
    apply(&mut root, 5, add(2, 1));
    let path = |root: &Snapshot| {
        let (database, table) = root.table_by_id(table(1).id).expect("it is there");
        let partition = &table.partitions[&partition(0)];
        (Arc::as_ptr(database), Arc::as_ptr(table), Arc::as_ptr(partition))
    };
    let copied = path(&root);
    assert_ne!(copied, path(&published));
    for n in 3..100 {
        apply(&mut root, 3 + n, add(n, 1));
        assert_eq!(path(&root), copied, "nobody else holds the copy, so it is changed in place");
    }
    assert_eq!(Copied::between(&published, &root), Copied { files: 98, ..ONE_PATH });
}

#[test]
fn an_action_on_logs_copies_no_table() {
    let before = with_tables();
    let mut root = before.clone();
    apply(&mut root, 4, open_log(2));
    assert_eq!(Copied::between(&before, &root), Copied::default());
}
