//! Files: one step adds the file, commits its LSN range and changes the partition's sort key.

use std::sync::Arc;

use types::fault::{self, Bug};
use types::{PartitionId, SortKey};

use crate::command::{AddFile, SortKeyChange};
use crate::error::Error;
use crate::file::File;
use crate::machine::{Effect, logs};
use crate::snapshot::Snapshot;
use crate::table::Partition;

/// Adds a file.
pub(super) fn add(root: &mut Snapshot, add: &AddFile) -> Result<Effect, Error> {
    // First of all: a commit that has happened stays a success, whatever has happened since.
    if !fault::is_planted(Bug::RetryNotIdempotent)
        && let Some(file) = partition(root, add).and_then(|partition| partition.file(add.file.id))
    {
        return again(file, add);
    }
    logs::check_epoch(root, add.log, add.epoch)?;
    if let Some(version) = root.dropped_at(add.table) {
        return Err(Error::DeadTable { table: add.table, version });
    }
    if let Some(partition) = partition(root, add) {
        check_overlap(partition, add)?;
    }
    check_sort_key(partition(root, add), &add.sort_key)?;
    insert(root, add)
}

/// The partition that the file goes to, if it has files.
fn partition<'a>(root: &'a Snapshot, add: &AddFile) -> Option<&'a Partition> {
    let (_, table) = root.table_by_id(add.table)?;
    table.partitions.get(&add.partition).map(Arc::as_ref)
}

/// Answers for a file whose id is there already.
fn again(file: &File, add: &AddFile) -> Result<Effect, Error> {
    if file.is_of(add) {
        Ok(Effect::Repeated(file.added_at))
    } else {
        Err(Error::FileDiffers { file: file.id })
    }
}

/// Refuses LSNs that are in another file: a batch would count twice.
fn check_overlap(partition: &Partition, add: &AddFile) -> Result<(), Error> {
    let lsns = add.file.lsns;
    match partition.overlap(add.log, add.file.term, lsns) {
        Some(file) => Err(Error::Overlap { lsns, file: file.id }),
        None => Ok(()),
    }
}

/// The comparison of the compare-and-swap.
fn check_sort_key(partition: Option<&Partition>, change: &SortKeyChange) -> Result<(), Error> {
    let none = SortKey::default();
    let expected = change.expected.as_ref();
    let Some(observed) = partition.map(|partition| &partition.sort_key) else {
        return match expected {
            Some(expected) if *expected != none => Err(Error::SortKeyConflict { observed: none }),
            _ => Ok(()),
        };
    };
    if *observed == change.new || Some(observed) == expected {
        Ok(())
    } else {
        Err(Error::SortKeyConflict { observed: observed.clone() })
    }
}

fn insert(root: &mut Snapshot, add: &AddFile) -> Result<Effect, Error> {
    let version = root.version.next();
    let Some(table) = root.table_mut(add.table) else {
        return Err(Error::NotFound { what: "table", id: add.table.to_string() });
    };
    let make = || {
        Arc::new(Partition {
            id: PartitionId::of(add.table, &add.partition),
            key: add.partition.clone(),
            sort_key: add.sort_key.new.clone(),
            files: Vec::new(),
        })
    };
    let held = table.partitions.entry(add.partition.clone()).or_insert_with(make);
    let partition = Arc::make_mut(held);
    partition.sort_key = add.sort_key.new.clone();
    partition.insert(File::new(add, version));
    logs::raise(root, add.log, add.log_lsn.max(add.file.lsns.last()));
    Ok(Effect::Changed(version))
}
