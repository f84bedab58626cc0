//! What the tests of the embedded catalog stand on: a small configuration, and a process that
//! panics where the real one would end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::conformance::{add_file, create, database, file, open_log, partition, table};
use catalog::{Action, AddFile, Command, Config, EmbeddedCatalog, Limits, Snapshot};
use types::RequestId;
use types::effect::{Disk, ManualClock, SeededRandomness, SystemThreads};
use wal::disk::ModelDisk;

/// Where the catalog is.
pub(crate) const DIR: &str = "/catalog";

#[derive(Debug)]
struct PanicInstead;

impl wal::Fatal for PanicInstead {
    fn end(&self, error: &wal::Error) -> ! {
        panic!("here the process would end: {error}");
    }
}

/// Effects on `disk` that are the same in each run.
pub(crate) fn deps(disk: Arc<dyn Disk>) -> wal::Deps {
    wal::Deps {
        disk,
        clock: Arc::new(ManualClock::at(0)),
        randomness: Arc::new(SeededRandomness::new(7)),
        threads: Arc::new(SystemThreads),
        fatal: Arc::new(PanicInstead),
    }
}

/// Segments and snapshots so small that a few dozen commands go through many of them.
pub(crate) fn small() -> Config {
    Config { segment_size: 4 << 10, snapshot_after_bytes: 6 << 10, ..Config::default() }
}

/// Opens the catalog on `disk`.
pub(crate) fn open(disk: &ModelDisk) -> Result<EmbeddedCatalog, catalog::Error> {
    EmbeddedCatalog::open(DIR, &small(), deps(Arc::new(disk.clone())))
}

/// Commands that all succeed, one after the other: a table, a log, files over a few partitions.
pub(crate) fn commands(count: u64) -> Vec<Command> {
    let action = |n| match n {
        0 => create(database(1), &[table(1)]),
        1 => open_log(1),
        _ => {
            let day = i64::try_from(n % 3).expect("it is small");
            Action::AddFile(AddFile { partition: partition(day), ..add_file(file(n, n, n)) })
        }
    };
    let command = |n| Command { request: RequestId::from_random(0x0e90, n), action: action(n) };
    (0..count).map(command).collect()
}

/// The states before, between and after `commands`, by the state machine alone.
pub(crate) fn states(commands: &[Command]) -> Vec<Snapshot> {
    let mut states = vec![Snapshot::default()];
    for command in commands {
        let mut next = states.last().expect("there is a first").clone();
        next.apply(command, &Limits::default()).expect("it is in order");
        states.push(next);
    }
    states
}

/// The paths in `dir` whose names end so, in the order of their names.
pub(crate) fn paths(disk: &ModelDisk, dir: &str, ending: &str) -> Vec<PathBuf> {
    let entries = disk.list(Path::new(dir)).expect("it is there");
    let names = entries.iter().map(|entry| entry.name.as_str());
    names.filter(|name| name.ends_with(ending)).map(|name| Path::new(dir).join(name)).collect()
}
