//! What must hold of a catalog, a log and an account whatever has happened.

use std::path::Path;

use catalog::{CatalogRead, Database, EmbeddedCatalog, File, FileKind, Snapshot};
use types::effect::Disk;
use types::{Lsn, LsnRange, MemoryBudget};
use wal::SegmentName;
use wal::disk::ModelDisk;

use crate::node::LOG_DIR;
use crate::verdict::{Findings, Kind};

/// No two files of a partition hold the same LSNs of one log.
pub(crate) fn of_catalog(catalog: &EmbeddedCatalog, findings: &Findings) {
    let snapshot = catalog.snapshot();
    for database in snapshot.databases() {
        for (name, table) in &database.tables {
            for (key, partition) in &table.partitions {
                let files: Vec<&File> = partition.files.iter().map(|file| &**file).collect();
                if let Some((one, other)) = overlapping(&files) {
                    let (one, other) = (one.lsns, other.lsns);
                    let told = format!("files of {name} {key} hold LSNs {one} and {other}");
                    findings.report(Kind::Invariant, &told);
                }
            }
        }
    }
}

fn overlapping<'a>(files: &[&'a File]) -> Option<(&'a File, &'a File)> {
    let mut pairs = files
        .iter()
        .enumerate()
        .flat_map(|(at, one)| files[at + 1..].iter().map(move |other| (*one, *other)));
    let same = |(one, other): &(&File, &File)| {
        one.log == other.log && one.term == other.term && one.lsns.overlaps(other.lsns)
    };
    pairs.find(same)
}

/// How many files hold the chunks of jobs that were set aside.
pub(crate) fn set_aside(snapshot: &Snapshot) -> u64 {
    let tables = snapshot.databases().flat_map(|database| database.tables.values());
    let partitions = tables.flat_map(|table| table.partitions.values());
    let files = partitions.flat_map(|partition| &partition.files);
    files.filter(|file| file.kind == FileKind::Quarantine).count() as u64
}

/// At no moment was more memory in use than there may be.
pub(crate) fn of_memory(memory: &MemoryBudget, findings: &Findings) {
    let (most, limit) = (memory.high_water(), memory.limit());
    if most > limit {
        findings.report(Kind::Invariant, &format!("{most} bytes in use at once, of {limit}"));
    }
}

/// Each LSN up to `published` is in a file, once everything is persisted.
pub(crate) fn all_in_files(database: &Database, published: Lsn, findings: &Findings) {
    let partitions = database.tables.values().flat_map(|table| table.partitions.values());
    let files = partitions.flat_map(|partition| &partition.files);
    let mut held: Vec<LsnRange> = files.map(|file| file.lsns).collect();
    held.sort_by_key(|lsns| lsns.first());
    let mut next = Lsn::ZERO.next();
    for lsns in held {
        if lsns.first() > next {
            break;
        }
        next = next.max(lsns.last().next());
    }
    if next <= published {
        let told = format!("LSN {next} of {published} is in no file, and everything is persisted");
        findings.report(Kind::Invariant, &told);
    }
}

/// The log has no segment but the open one, once everything is persisted.
pub(crate) fn log_is_empty(disk: &ModelDisk, findings: &Findings) {
    let entries = disk.list(Path::new(LOG_DIR)).unwrap_or_default();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let segments = names.iter().filter(|name| SegmentName::parse(name).is_some()).count();
    if segments > 1 {
        let told = format!("everything is persisted, and the log still has {names:?}");
        findings.report(Kind::Invariant, &told);
    }
}
