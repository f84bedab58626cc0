//! What is on disk, and what is refused when it is not what it was.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catalog::conformance::open_log;
use catalog::{
    CatalogRead, CatalogWrite, Command, Config, EmbeddedCatalog, Error, Limits, Snapshot,
};
use types::effect::{Disk, ManualClock, SeededRandomness};
use types::{ErrorKind, RequestId};
use wal::disk::{Cut, ModelDisk};

use crate::stage::{DIR, commands, deps, open, paths, small, states};

/// A closed catalog with so many commands in it, and the state that it has.
async fn closed_after(count: u64) -> (ModelDisk, Snapshot) {
    let disk = ModelDisk::new(1);
    let catalog = open(&disk).expect("a new catalog");
    send(&catalog, count).await;
    catalog.close().expect("it closes");
    let state = states(&commands(count)).pop().expect("the last");
    (disk, state)
}

async fn send(catalog: &EmbeddedCatalog, count: u64) {
    for command in commands(count) {
        catalog.apply(command).await.expect("it is in order");
    }
}

fn damage(disk: &ModelDisk, path: &Path) {
    let mut bytes = disk.read(path).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    disk.plant(path, &bytes);
}

/// Opening is refused as corrupt; the message names `path`, and the snapshots are as they were.
fn check_corrupt(disk: &ModelDisk, path: &Path) -> String {
    let snapshots = |disk: &ModelDisk| {
        let paths = paths(disk, DIR, ".json");
        paths.into_iter().map(|path| (disk.read(&path), path)).collect::<Vec<_>>()
    };
    let before = snapshots(disk);
    let error = open(disk).expect_err("it is damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    let text = format!("{error}: {source}");
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert_eq!(snapshots(disk), before, "a refusal changed something");
    text
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_reopening_under_the_next_epoch() {
    let (disk, state) = closed_after(20).await;
    let catalog = open(&disk).expect("it opens");
    assert_eq!(*catalog.snapshot(), state);
    assert_eq!(*catalog.watch().borrow(), state.version());
    send(&catalog, 25).await;
    drop(catalog.close());
    let segments = paths(&disk, "/catalog/log", ".wal");
    let epoch = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).map(wal::SegmentName::parse);
        name.flatten().expect("a segment's name").epoch.get()
    };
    let newest = segments.last().expect("there is one");
    assert_eq!(epoch(newest), 2);
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let disk = ModelDisk::new(1);
    let catalog = open(&disk).expect("a new catalog");
    let second = open(&disk).expect_err("it is in use");
    assert!(matches!(second, Error::Log(wal::Error::Locked { .. })), "{second}");
    catalog.close().expect("it closes");
    assert!(matches!(catalog.close(), Err(Error::Closed)));
    let [command] = &commands(1)[..] else { panic!("one was asked for") };
    assert!(matches!(catalog.apply(command.clone()).await, Err(Error::Closed)));
    open(&disk).expect("it is free again");
}

#[tokio::test]
async fn a_command_without_an_answer_is_recognised_after_a_reopening() {
    let (disk, state) = closed_after(10).await;
    let catalog = open(&disk).expect("it opens");
    for (n, command) in (1..).zip(commands(10)) {
        let again = catalog.apply(command).await.expect("it was applied before");
        assert_eq!((again.version.get(), again.repeated), (n, true));
    }
    assert_eq!(*catalog.snapshot(), state);
}

#[tokio::test]
async fn a_limit_that_was_lowered_refuses_nothing_that_is_there() {
    let (disk, state) = closed_after(5).await;
    for path in paths(&disk, DIR, ".json") {
        disk.remove(&path).expect("the log has it all");
    }
    let limits = Limits { databases_max: 0, tables_max: 0, columns_max: 0 };
    let config = Config { limits, ..small() };
    let catalog = EmbeddedCatalog::open(DIR, &config, deps(Arc::new(disk.clone())));
    assert_eq!(*catalog.expect("it opens").snapshot(), state);
}

#[tokio::test]
async fn the_log_makes_up_for_a_damaged_snapshot() {
    let (disk, state) = closed_after(60).await;
    let snapshots = paths(&disk, DIR, ".json");
    assert_eq!(snapshots.len(), 2);
    damage(&disk, &snapshots[1]);
    let catalog = open(&disk).expect("the older one and the log have it all");
    assert_eq!(*catalog.snapshot(), state);
    assert_eq!(paths(&disk, DIR, ".damaged").len(), 1, "the evidence is kept");
    send(&catalog, 90).await;
    catalog.close().expect("it closes");
    let state = states(&commands(90)).pop().expect("the last");
    assert_eq!(*open(&disk).expect("it opens").snapshot(), state);
}

#[tokio::test]
async fn the_log_makes_up_for_a_snapshot_that_cannot_be_read() {
    let (disk, state) = closed_after(60).await;
    let snapshots = paths(&disk, DIR, ".json");
    disk.make_unreadable(&snapshots[1]);
    let catalog = open(&disk).expect("the older one and the log have it all");
    assert_eq!(*catalog.snapshot(), state);
    assert_eq!(paths(&disk, DIR, ".damaged").len(), 1, "the evidence is kept");
}

#[tokio::test]
async fn snapshots_that_cannot_be_read_are_refused_where_the_log_does_not_make_up_for_them() {
    let (disk, _) = closed_after(60).await;
    let snapshots = paths(&disk, DIR, ".json");
    for path in &snapshots {
        disk.make_unreadable(path);
    }
    let error = open(&disk).expect_err("nothing can be read");
    assert_eq!(error.kind(), ErrorKind::Fatal, "{error}");
    assert!(error.to_string().contains(&snapshots[1].display().to_string()), "{error}");
    assert_eq!(paths(&disk, DIR, ".json"), snapshots, "a refusal changed something");
}

#[tokio::test]
async fn the_log_makes_up_for_a_snapshot_whose_format_is_damaged() {
    let (disk, state) = closed_after(60).await;
    let newest = paths(&disk, DIR, ".json").pop().expect("there are two");
    let text = String::from_utf8(disk.read(&newest).expect("it is there")).expect("it is text");
    disk.plant(&newest, text.replacen("\"format\":1", "\"format\":3", 1).as_bytes());
    let catalog = open(&disk).expect("the older one and the log have it all");
    assert_eq!(*catalog.snapshot(), state);
    assert_eq!(paths(&disk, DIR, ".damaged").len(), 1, "the evidence is kept");
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_where_the_log_does_not_make_up_for_it() {
    let (disk, _) = closed_after(60).await;
    let snapshots = paths(&disk, DIR, ".json");
    for path in &snapshots {
        damage(&disk, path);
    }
    let text = check_corrupt(&disk, &snapshots[1]);
    assert!(text.contains("offset 0") && text.contains("checksum"), "{text}");
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_refused() {
    let (disk, _) = closed_after(60).await;
    let snapshots = paths(&disk, DIR, ".json");
    damage(&disk, &snapshots[1]);
    for path in paths(&disk, "/catalog/log", ".wal") {
        disk.remove(&path).expect("it is there");
    }
    check_corrupt(&disk, &snapshots[1]);
}

#[tokio::test]
async fn a_gap_between_a_snapshot_and_the_log_is_refused() {
    // When a snapshot is taken depends on threads: the last segment may begin right behind the older
    // one, and then nothing is missing.
    for _ in 0..100 {
        let (disk, state) = closed_after(60).await;
        let snapshots = paths(&disk, DIR, ".json");
        let segments = paths(&disk, "/catalog/log", ".wal");
        disk.remove(&snapshots[1]).expect("it is there");
        for path in &segments[..segments.len() - 1] {
            disk.remove(path).expect("it is there");
        }
        if let Ok(catalog) = open(&disk) {
            assert_eq!(*catalog.snapshot(), state, "all of it or nothing");
            continue;
        }
        let text = check_corrupt(&disk, &segments[segments.len() - 1]);
        assert!(text.contains("where") || text.contains("follows version"), "{text}");
        return;
    }
    panic!("no log of a hundred had a gap");
}

#[tokio::test]
async fn a_log_that_lost_its_beginning_is_refused() {
    let (disk, _) = closed_after(60).await;
    for path in paths(&disk, DIR, ".json") {
        disk.remove(&path).expect("it is there");
    }
    let segments = paths(&disk, "/catalog/log", ".wal");
    let text = check_corrupt(&disk, &segments[0]);
    assert!(text.contains("begins with LSN") && text.contains("where 1 was expected"), "{text}");
}

#[tokio::test]
async fn a_snapshot_of_a_later_format_is_refused_and_not_taken_for_damage() {
    let (disk, _) = closed_after(60).await;
    let newest = paths(&disk, DIR, ".json").pop().expect("there are two");
    let text = String::from_utf8(disk.read(&newest).expect("it is there")).expect("it is text");
    disk.plant(&newest, text.replacen("\"format\":1", "\"format\":2", 1).as_bytes());
    let message = check_corrupt(&disk, &newest);
    assert!(message.contains("format 2 is newer than 1"), "{message}");
}

#[tokio::test]
async fn a_full_disk_refuses_with_nothing_kept_and_resumes_without_a_restart() {
    let disk = ModelDisk::new(1);
    let clock = Arc::new(ManualClock::at(0));
    let deps =
        wal::Deps { clock: Arc::<ManualClock>::clone(&clock), ..deps(Arc::new(disk.clone())) };
    let catalog = EmbeddedCatalog::open(DIR, &small(), deps).expect("a new catalog");
    let commands = commands(100);
    let states = states(&commands);
    disk.set_capacity(Some(disk.used() + 1_000));
    let mut accepted = 0;
    let refusal = loop {
        match catalog.apply(commands[accepted].clone()).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refusal.kind(), ErrorKind::Busy, "{refusal}");
    assert_eq!(*catalog.snapshot(), states[accepted], "a refused command left something");
    disk.set_capacity(None);
    // The log looks at a full disk again when some time has passed.
    clock.advance(Duration::from_secs(60));
    for command in &commands[accepted..] {
        while let Err(error) = catalog.apply(command.clone()).await {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        }
    }
    catalog.close().expect("it closes");
    assert_eq!(*open(&disk).expect("it opens").snapshot(), states[commands.len()]);
}

/// A start has a command to commit, the epoch of a log: without the ballast, a log that had used up
/// its spare could not be opened any more on a full disk.
#[tokio::test]
async fn a_ballast_that_found_no_room_is_there_when_the_disk_is_full_later() {
    let disk = ModelDisk::new(1);
    let clock = Arc::new(ManualClock::at(0));
    let deps =
        wal::Deps { clock: Arc::<ManualClock>::clone(&clock), ..deps(Arc::new(disk.clone())) };
    // Room for a segment, and neither for a spare nor for the ballast.
    disk.set_capacity(Some(small().segment_size + 200));
    let catalog = EmbeddedCatalog::open(DIR, &small(), deps).expect("a new catalog");
    let commands = commands(6);
    for command in &commands[..3] {
        catalog.apply(command.clone()).await.expect("its segment comes first");
    }
    let ballast = Path::new("/catalog/log/ballast");
    assert_eq!(disk.read(ballast), None);
    disk.set_capacity(None);
    clock.advance(Duration::from_secs(60));
    // The log may be in the middle of a step at the first, and not at the second.
    for command in &commands[3..] {
        catalog.apply(command.clone()).await.expect("it is in order");
    }
    let len = disk.read(ballast).map(|bytes| bytes.len() as u64);
    assert_eq!(len, Some(small().segment_size));

    let disk = disk.after(Cut::Kill, &SeededRandomness::new(1));
    // The log has rotated into its last spare, if there was one.
    match disk.remove(Path::new("/catalog/log/spare.tmp")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
        _ => disk.set_capacity(Some(disk.used())),
    }
    let catalog = open(&disk).expect("it opens");
    assert_eq!(*catalog.snapshot(), states(&commands).pop().expect("the last"));
    let command = Command { request: RequestId::from_random(1, 1), action: open_log(2) };
    catalog.apply(command).await.expect("there is room for it");
}
