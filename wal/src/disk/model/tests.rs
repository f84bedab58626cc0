//! The modelled disk forgets what a real one may forget, and nothing else.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use types::effect::{Access, Clock, Disk, LockMode, ManualClock, SeededRandomness};

use super::{Cut, Errno, Hits, ModelDisk};
use crate::disk::{Operation, create_dir_all, rename, write_all_at};

const CUTS: [Cut; 3] = [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder];

/// The contents that `path` has after many cuts, each once.
fn fates(disk: &ModelDisk, cut: Cut, path: &str) -> Vec<Option<Vec<u8>>> {
    let after = |seed| disk.after(cut, &SeededRandomness::new(seed)).read(Path::new(path));
    let mut fates: Vec<_> = (0..200).map(after).collect();
    fates.sort();
    fates.dedup();
    fates
}

fn write(disk: &ModelDisk, path: &str, bytes: &[u8], sync: bool) {
    let path = Path::new(path);
    let file = match disk.create(path) {
        Ok(file) => file,
        Err(_) => disk.open(path, Access::ReadWrite).expect("it is there"),
    };
    write_all_at(file.as_ref(), bytes, 0).expect("written");
    if sync {
        file.sync_data().expect("synced");
    }
}

#[test]
fn what_is_synced_by_content_and_by_name_survives_everything() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"synced", true);
    disk.sync_dir(Path::new("/")).expect("synced");
    for cut in CUTS {
        assert_eq!(fates(&disk, cut, "/a"), [Some(b"synced".to_vec())]);
    }
}

#[test]
fn a_name_that_is_not_synced_may_be_lost_though_the_content_is() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"synced", true);
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/a"), [None, Some(b"synced".to_vec())]);
    assert_eq!(fates(&disk, Cut::Kill, "/a"), [Some(b"synced".to_vec())]);
}

#[test]
fn sectors_reach_the_disk_in_any_order() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", &[0; 1024], true);
    disk.sync_dir(Path::new("/")).expect("synced");
    write(&disk, "/a", &[7; 1024], false);
    let in_order = fates(&disk, Cut::PowerInOrder, "/a");
    let second_only = [[0; 512], [7; 512]].concat();
    assert_eq!(in_order.len(), 3);
    assert!(!in_order.contains(&Some(second_only.clone())));
    let any_order = fates(&disk, Cut::PowerAnyOrder, "/a");
    assert_eq!(any_order.len(), 4);
    assert!(any_order.contains(&Some(second_only)));
}

#[test]
fn a_file_may_be_longer_than_what_of_it_was_written() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"", true);
    disk.sync_dir(Path::new("/")).expect("synced");
    write(&disk, "/a", &[7; 1024], false);
    let hole = [[0; 512], [7; 512]].concat();
    assert!(fates(&disk, Cut::PowerAnyOrder, "/a").contains(&Some(hole)));
}

#[test]
fn a_rename_happens_or_not_and_never_takes_both_files() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"old", true);
    write(&disk, "/b", b"new", true);
    disk.sync_dir(Path::new("/")).expect("synced");
    disk.rename(Path::new("/b"), Path::new("/a")).expect("renamed");
    let both = [Some(b"new".to_vec()), Some(b"old".to_vec())];
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/a"), both);
    write(&disk, "/b", b"newer", true);
    rename(&disk, Path::new("/b"), Path::new("/a")).expect("durably renamed");
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/a"), [Some(b"newer".to_vec())]);
}

#[test]
fn after_a_failed_sync_the_next_one_succeeds_and_writes_nothing() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"old", true);
    disk.sync_dir(Path::new("/")).expect("synced");
    write(&disk, "/a", b"new", false);
    disk.fail_sync(1);
    let file = disk.open(Path::new("/a"), Access::ReadWrite).expect("it is there");
    assert!(file.sync_data().is_err());
    file.sync_data().expect("the pages count as clean");
    assert_eq!(disk.read(Path::new("/a")), Some(b"new".to_vec()));
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/a"), [Some(b"old".to_vec())]);
}

#[test]
fn a_directory_is_lost_with_all_in_it_unless_its_parent_was_synced() {
    let disk = ModelDisk::new(1);
    disk.create_dir(Path::new("/d")).expect("created");
    write(&disk, "/d/a", b"synced", true);
    disk.sync_dir(Path::new("/d")).expect("synced");
    assert!(fates(&disk, Cut::PowerAnyOrder, "/d/a").contains(&None));
    create_dir_all(&disk, Path::new("/d")).expect("made durable");
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/d/a"), [Some(b"synced".to_vec())]);
}

#[test]
fn b5_z5_a_kill_while_directories_are_made_leaves_no_name_that_is_never_synced() {
    let deep = Path::new("/a/b/c");
    for call in 1..20 {
        let disk = ModelDisk::new(1);
        disk.die_at_call(call);
        let died = create_dir_all(&disk, deep).is_err();
        let disk = disk.after(Cut::Kill, &SeededRandomness::new(call));
        create_dir_all(&disk, deep).expect("the next process makes the rest");
        write(&disk, "/a/b/c/f", b"synced", true);
        disk.sync_dir(deep).expect("synced");
        let left = fates(&disk, Cut::PowerAnyOrder, "/a/b/c/f");
        assert_eq!(left, [Some(b"synced".to_vec())], "killed at call {call}");
        assert_eq!(died, call <= 10, "ten calls make three directories");
    }
}

#[test]
fn a_sync_that_finds_no_room_forgets_what_it_was_asked_to_write() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"old", true);
    disk.sync_dir(Path::new("/")).expect("synced");
    write(&disk, "/a", b"new", false);
    disk.fill_at_sync(1, 2);
    let file = disk.open(Path::new("/a"), Access::ReadWrite).expect("it is there");
    for _ in 0..2 {
        let full = file.sync_data().expect_err("no room");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
    file.sync_data().expect("there is room again");
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/a"), [Some(b"old".to_vec())]);
}

#[test]
fn a_file_over_a_bad_sector_cannot_be_read_by_any_process() {
    let disk = ModelDisk::new(1);
    write(&disk, "/a", b"rotten", true);
    disk.sync_dir(Path::new("/")).expect("synced");
    disk.make_unreadable(Path::new("/a"));
    let next = disk.after(Cut::PowerInOrder, &SeededRandomness::new(1));
    for disk in [disk, next] {
        let file = disk.open(Path::new("/a"), Access::Read).expect("it opens");
        let error = file.read_at(&mut [0; 6], 0).expect_err("it cannot be read");
        assert_eq!(error.raw_os_error(), Some(5));
    }
}

#[test]
fn a_full_disk_takes_what_fits_and_says_so() {
    let disk = ModelDisk::new(1);
    disk.set_capacity(Some(10));
    let file = disk.create(Path::new("/a")).expect("created");
    assert_eq!(file.write_at(&[1; 20], 0).expect("a part"), 10);
    let full = file.write_at(&[1; 10], 10).expect_err("no room");
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(&[2; 5], 2).expect("written over"), 5);
    disk.remove(Path::new("/a")).expect("removed");
    write(&disk, "/b", &[1; 10], true);
}

/// Makes the `at`th of these calls, each on what is there already.
fn call(disk: &ModelDisk, at: usize) -> io::Result<()> {
    let (dir, file, new) = (Path::new("/d"), Path::new("/d/a"), Path::new("/d/b"));
    let open = || disk.open(file, Access::ReadWrite);
    match at {
        0 => disk.create_dir(Path::new("/e")),
        1 => disk.create(new).map(drop),
        2 => disk.rename(file, new),
        3 => disk.remove(file),
        4 => disk.list(dir).map(drop),
        5 => open().map(drop),
        6 => disk.sync_dir(dir),
        7 => open()?.set_len(0),
        8 => open()?.write_at(b"new", 0).map(drop),
        9 => open()?.read_at(&mut [0; 3], 0).map(drop),
        10 => open()?.len().map(drop),
        11 => open()?.sync_data(),
        _ => disk.lock_dir(dir, LockMode::Exclusive).map(drop),
    }
}

/// A disk with one file in one directory, both durable.
fn with_a_file() -> ModelDisk {
    let disk = ModelDisk::new(1);
    create_dir_all(&disk, Path::new("/d")).expect("created");
    write(&disk, "/d/a", b"old", true);
    disk.sync_dir(Path::new("/d")).expect("synced");
    disk
}

#[test]
fn each_kind_of_call_can_fail_alone_and_does_nothing_then() {
    use Operation::{Create, Lock, Open, Read, Remove, Rename, Sync, SyncDir, Truncate, Write};
    let kinds = [
        Create, Create, Rename, Remove, Read, Open, SyncDir, Truncate, Write, Read, Read, Sync,
        Lock,
    ];
    for (errno, raw) in [(Errno::Io, 5), (Errno::NoSpace, 28), (Errno::NoDescriptor, 24)] {
        for (at, kind) in kinds.into_iter().enumerate() {
            for by_kind in [false, true] {
                let disk = with_a_file();
                // Those on an open file open it first.
                let opened = u64::from((7..12).contains(&at));
                match by_kind {
                    true => disk.fail_operation(kind, 1, errno),
                    false => disk.fail_call(1 + opened, errno),
                }
                let error = call(&disk, at).expect_err("it is to fail");
                assert_eq!(error.raw_os_error(), Some(raw), "{kind}");
                assert_eq!(disk.read(Path::new("/d/a")), Some(b"old".to_vec()), "{kind}");
                assert_eq!(disk.names(), 3, "{kind}");
                call(&disk, at).expect("only one call fails");
            }
        }
    }
}

#[test]
fn the_nth_call_of_a_kind_fails_and_no_other() {
    let disk = with_a_file();
    disk.fail_operation(Operation::Truncate, 3, Errno::NoSpace);
    let failed = (0..6).map(|_| call(&disk, 7).is_err()).collect::<Vec<_>>();
    assert_eq!(failed, [false, false, true, false, false, false]);
}

#[test]
fn a_sync_that_fails_alone_forgets_what_it_was_asked_to_write() {
    let disk = with_a_file();
    write(&disk, "/d/a", b"new", false);
    disk.fail_operation(Operation::Sync, 1, Errno::Io);
    assert!(call(&disk, 11).is_err());
    call(&disk, 11).expect("the pages count as clean");
    assert_eq!(fates(&disk, Cut::PowerAnyOrder, "/d/a"), [Some(b"old".to_vec())]);
}

#[test]
fn a_disk_without_room_for_a_name_still_has_room_for_bytes() {
    let disk = with_a_file();
    disk.set_names_max(Some(disk.names()));
    for at in 0..3 {
        let full = call(&disk, at).expect_err("one name more");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
    call(&disk, 8).expect("bytes fit");
    disk.remove(Path::new("/d/a")).expect("removed");
    call(&disk, 1).expect("a name is free");
}

#[test]
fn a_disk_can_be_full_from_any_call_on() {
    let disk = with_a_file();
    // Those before it are the three of the write.
    disk.fill_at_call(4);
    write(&disk, "/d/a", b"longer", false);
    let full = call(&disk, 1).and_then(|()| {
        disk.open(Path::new("/d/b"), Access::ReadWrite)?.write_at(b"x", 0).map(drop)
    });
    assert_eq!(full.expect_err("no room").kind(), io::ErrorKind::StorageFull);
    call(&disk, 8).expect("what is there can be written over");
    disk.set_capacity(None);
    write(&disk, "/d/b", b"x", true);
}

#[test]
fn a_slow_disk_takes_its_time_at_each_sync() {
    let (disk, clock) = (with_a_file(), Arc::new(ManualClock::default()));
    disk.slow_down(&clock, Duration::from_millis(200));
    call(&disk, 8).expect("written");
    assert_eq!(clock.monotonic(), Duration::ZERO);
    let next = disk.after(Cut::Kill, &SeededRandomness::new(1));
    for (disk, at) in [(&disk, 11), (&disk, 6), (&next, 11)] {
        call(disk, at).expect("synced");
    }
    assert_eq!(clock.monotonic(), Duration::from_millis(600));
}

#[test]
fn a_fault_counts_when_it_hits_a_call() {
    let disk = with_a_file();
    disk.fail_sync(1);
    disk.set_capacity(Some(disk.used()));
    disk.set_names_max(Some(disk.names()));
    assert_eq!(disk.hits(), Hits::default(), "nobody has asked for anything");
    let path = Path::new("/d/a");
    let file = disk.open(path, Access::ReadWrite).expect("it is there");
    file.sync_data().expect_err("EIO");
    file.sync_data().expect("only once");
    disk.fill_at_sync(1, 1);
    disk.sync_dir(Path::new("/d")).expect_err("no room");
    for _ in 0..2 {
        file.write_at(b"x", disk.used()).expect_err("no room");
    }
    disk.create(Path::new("/d/new")).map(drop).expect_err("no room for a name");
    let once = Hits { failed_syncs: 1, full_syncs: 1, refused_for_room: 3, times_full: 1 };
    assert_eq!(disk.hits(), once);
    disk.set_capacity(Some(disk.used()));
    file.write_at(b"x", disk.used()).expect_err("no room once more");
    assert_eq!(disk.hits(), Hits { refused_for_room: 4, times_full: 2, ..once });
    let next = disk.after(Cut::Kill, &SeededRandomness::new(1));
    assert_eq!(next.hits(), Hits::default(), "another process, other faults");
}
