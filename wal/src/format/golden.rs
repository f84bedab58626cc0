//! Version 1, pinned by files: what is written today, and what must be read for ever.

use std::path::{Path, PathBuf};

use types::Lsn;

use crate::disk::ModelDisk;
use crate::harness::{DIR, Machine, frames_of, small};
use crate::vouched::Vouched;

/// The files are the log that [`write`] makes. To pin a later version, give it a directory of its
/// own; these files are never written again.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// A log with all that the format has: raw and compressed bodies, groups of one and of two frames,
/// several batches in a frame, a seal in the middle and at the end, a second segment.
fn write() -> Machine {
    let machine = Machine::new(1);
    let mut log = machine.start_alone();
    log.queue(1, 40, 1).expect("room");
    log.queue(3, 200, 3).expect("room");
    log.settle();
    machine.clock.advance(machine.config.idle_seal);
    log.settle();
    log.append(2, 8);
    log.rotate().expect("frames");
    log.append(6, 100);
    log.close();
    machine
}

const EXPECTED: [(u64, u64, u64); 4] = [(1, 1, 1), (2, 4, 3), (5, 5, 2), (6, 6, 6)];

fn check(machine: &Machine) {
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    let frames: Vec<_> = frames_of(&recovery)
        .into_iter()
        .map(|(lsns, id)| (lsns.first().get(), lsns.last().get(), id))
        .collect();
    assert_eq!(frames, EXPECTED);
}

#[test]
fn version_1_is_read_as_it_was_written() {
    let disk = ModelDisk::new(1);
    let machine = Machine::with(disk, small());
    // The directory is made by a first opening.
    drop(machine.recover(Vouched::by_snapshot(Lsn::ZERO)));
    let mut files = 0;
    for entry in std::fs::read_dir(golden()).expect("the golden files") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a golden file");
        machine.disk.plant(&Path::new(DIR).join(path.file_name().expect("a name")), &bytes);
        files += 1;
    }
    assert_eq!(files, 2);
    check(&machine);
}

#[test]
fn version_1_is_written_as_it_was() {
    let machine = write();
    for (name, bytes) in machine.segments() {
        let path = golden().join(name.to_string());
        let expected = std::fs::read(&path).expect("a golden file");
        assert!(bytes == expected, "{name} differs from the golden file");
    }
    check(&machine);
}
