//! Faults of other logs that no other test here has by itself: each gives the promise that it broke.

use std::path::Path;

use types::effect::SeededRandomness;
use types::{ErrorKind, Lsn};

use crate::config::Config;
use crate::disk::{Cut, ModelDisk};
use crate::harness::{DIR, Machine, frames_of, small};
use crate::vouched::Vouched;

const ALONE: Vouched = Vouched::by_snapshot(Lsn::ZERO);

/// The machine after `cut`, and what the next process finds on it.
fn after(machine: &Machine, cut: Cut, seed: u64) -> (Machine, Vec<u64>) {
    let disk = machine.disk.after(cut, &SeededRandomness::new(seed));
    let found = Machine::with(disk.after(Cut::Kill, &SeededRandomness::new(seed)), small());
    let recovery = found.recover(ALONE).expect("it recovers");
    let ids = frames_of(&recovery).into_iter().map(|(_, id)| id).collect();
    (Machine::with(disk, small()), ids)
}

/// A machine whose log has two frames and, behind them, the first `len` bytes of a third.
fn torn(len: usize) -> Machine {
    let machine = Machine::new(1);
    let mut log = machine.start_alone();
    log.append(1, 100);
    log.append(2, 100);
    drop(log);
    let (machine, _) = after(&machine, Cut::Kill, 1);
    let (name, bytes) = machine.segments().pop().expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    let torn = [&bytes[..end], &bytes[64..64 + len]].concat();
    machine.disk.plant(&Path::new(DIR).join(name.to_string()), &torn);
    machine
}

/// What was appended behind the remains of a torn frame was out of reach at the next crash.
#[test]
fn b2_what_is_appended_after_a_torn_tail_is_found_after_the_next_crashes() {
    for len in [1, 7, 50, 96, 150] {
        let machine = torn(len);
        let mut log = machine.start_alone();
        log.append(3, 100);
        drop(log);
        let (machine, ids) = after(&machine, Cut::PowerAnyOrder, len as u64);
        assert_eq!(ids, [1, 2, 3], "{len} bytes of a frame");
        let mut log = machine.start_alone();
        log.append(4, 100);
        log.rotate().expect("a frame");
        log.append(5, 100);
        drop(log);
        let (_, ids) = after(&machine, Cut::Kill, len as u64);
        assert_eq!(ids, [1, 2, 3, 4, 5], "{len} bytes of a frame");
    }
}

/// Appends gathered in memory without a bound while the disk stood still.
#[test]
fn z16_a_disk_that_stalls_has_no_more_queued_for_it_than_the_log_may_hold() {
    const MAX_SIZE: u64 = 8192;
    let config = Config { max_size: MAX_SIZE, ..small() };
    let machine = Machine::with(ModelDisk::new(1), config);
    let mut log = machine.start_alone();
    // The log's thread makes no step, as one that waits for its disk.
    let mut queued = 0;
    let refusal = loop {
        match log.queue(queued, 300, 1) {
            Ok(()) => queued += 1,
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.kind(), ErrorKind::Busy);
    assert!(queued > 1 && queued * 96 < MAX_SIZE, "{queued} frames were let in");
    assert!(log.committed().is_empty());
    log.settle();
    let ids: Vec<u64> = log.committed().into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, (0..queued).collect::<Vec<_>>(), "what was let in is kept");
}
