//! The modelled disk forgets what a real one may forget, and nothing else.

use std::path::Path;

use types::effect::{Disk, SeededRandomness};

use super::{Cut, ModelDisk};
use crate::disk::{create_dir_all, rename, write_all_at};

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
        Err(_) => disk.open(path, types::effect::Access::ReadWrite).expect("it is there"),
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
    let file = disk.open(Path::new("/a"), types::effect::Access::ReadWrite).expect("it is there");
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
fn a_kill_while_directories_are_made_leaves_no_name_that_is_never_synced() {
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
    let file = disk.open(Path::new("/a"), types::effect::Access::ReadWrite).expect("it is there");
    for _ in 0..2 {
        let full = file.sync_data().expect_err("no room");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
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
        let file = disk.open(Path::new("/a"), types::effect::Access::Read).expect("it opens");
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
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(&[2; 5], 2).expect("written over"), 5);
    disk.remove(Path::new("/a")).expect("removed");
    write(&disk, "/b", &[1; 10], true);
}
