//! The catalog on one thread: whoever waits makes the steps of the others, so that a run is the
//! same each time.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use catalog::{CatalogRead, CatalogWrite, Command, Committed, EmbeddedCatalog, Error};
use types::effect::Turns;
use wal::disk::ModelDisk;

use crate::stage::{DIR, commands, deps, paths, small, states};

fn open(disk: &ModelDisk, turns: &Turns) -> Result<EmbeddedCatalog, Error> {
    let deps = wal::Deps { threads: Arc::new(turns.clone()), ..deps(Arc::new(disk.clone())) };
    EmbeddedCatalog::open(DIR, &small(), deps)
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Applies a command, with turns until it is answered.
fn apply(catalog: &EmbeddedCatalog, turns: &Turns, command: &Command) -> Committed {
    let mut applying = catalog.apply(command.clone());
    loop {
        match poll(&mut applying) {
            Poll::Ready(committed) => return committed.expect("it is in order"),
            Poll::Pending => assert!(turns.round(), "nobody does anything"),
        }
    }
}

/// The snapshots and the log's segments, to the last byte.
fn files(disk: &ModelDisk) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let snapshots = paths(disk, DIR, ".json");
    let all = snapshots.into_iter().chain(paths(disk, "/catalog/log", ".wal"));
    all.map(|path| (path.clone(), disk.read(&path))).collect()
}

/// A run of so many commands, closed at its end.
fn run(count: u64) -> ModelDisk {
    let (disk, turns) = (ModelDisk::new(1), Turns::default());
    let catalog = open(&disk, &turns).expect("a new catalog");
    for (number, command) in (1..).zip(commands(count)) {
        assert_eq!(apply(&catalog, &turns, &command).version.get(), number);
    }
    catalog.close().expect("it closes");
    turns.settle();
    assert_eq!(turns.names(), Vec::<&str>::new(), "all threads have ended");
    disk
}

#[test]
fn a_command_is_answered_when_the_catalog_has_had_its_turn() {
    let (disk, turns) = (ModelDisk::new(1), Turns::default());
    let catalog = open(&disk, &turns).expect("a new catalog");
    let [command] = &commands(1)[..] else { panic!("one was asked for") };
    let mut applying = catalog.apply(command.clone());
    assert!(poll(&mut applying).is_pending());
    assert_eq!(catalog.snapshot().version().get(), 0, "nobody has made a step");
    turns.settle();
    let Poll::Ready(committed) = poll(&mut applying) else { panic!("it has had its turn") };
    assert_eq!(committed.expect("it is in order").version.get(), 1);
    assert_eq!(catalog.snapshot().version().get(), 1);
}

#[test]
fn snapshots_are_taken_and_all_is_there_after_a_close() {
    let disk = run(60);
    assert_eq!(paths(&disk, DIR, ".json").len(), 2);
    let catalog = open(&disk, &Turns::default()).expect("the directory is free");
    let state = states(&commands(60)).pop().expect("the last");
    assert_eq!(*catalog.snapshot(), state);
}

#[test]
fn a_run_leaves_the_same_bytes_each_time() {
    let (first, second) = (files(&run(60)), files(&run(60)));
    assert!(first.len() >= 3, "{} files", first.len());
    assert!(first == second, "two runs differ");
}

#[test]
fn a_catalog_that_is_dropped_ends_at_its_next_turns() {
    let (disk, turns) = (ModelDisk::new(1), Turns::default());
    let catalog = open(&disk, &turns).expect("a new catalog");
    let [command] = &commands(1)[..] else { panic!("one was asked for") };
    apply(&catalog, &turns, command);
    drop(catalog);
    turns.settle();
    assert_eq!(turns.names(), Vec::<&str>::new(), "all threads have ended");
    let catalog = open(&disk, &turns).expect("the directory is free");
    assert_eq!(catalog.snapshot().version().get(), 1);
}
