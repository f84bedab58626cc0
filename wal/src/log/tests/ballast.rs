//! A ballast that has no room when the log starts, or that a full disk lets nobody remove.

use std::time::Duration;

use types::Lsn;
use types::effect::Progress;

use crate::config::Config;
use crate::disk::{Errno, Operation};
use crate::error::Error;
use crate::harness::{Machine, Stepped, small};
use crate::log::worker::BALLAST_INTERVAL;
use crate::vouched::Vouched;

const ALONE: Vouched = Vouched::by_snapshot(Lsn::ZERO);

/// Fits where a segment does, and not beside one on what the tests leave free.
const BALLAST: u64 = 3000;

fn machine(segment_before_ballast: bool) -> Machine {
    let config = Config { ballast_size: BALLAST, segment_before_ballast, ..small() };
    Machine { config, ..Machine::new(4) }
}

/// The log of a start that has room for a segment and a little more.
fn started_without_room_for_the_ballast(machine: &Machine) -> Stepped {
    let recovery = machine.recover(ALONE).expect("it recovers");
    let room = machine.config.segment_size + 200;
    machine.disk.set_capacity(Some(machine.disk.used() + room));
    let epoch = recovery.epoch().next();
    Stepped::start(recovery, epoch).expect("it starts")
}

fn ballast(machine: &Machine) -> Option<u64> {
    machine.disk.read("/data/wal/ballast".as_ref()).map(|bytes| bytes.len() as u64)
}

fn wait(machine: &Machine, log: &mut Stepped, time: Duration) {
    machine.clock.advance(time);
    log.settle();
}

/// What it leaves free is for persisting: with it gone, nothing could be made free any more.
#[test]
fn a_start_without_room_for_the_ballast_is_one_on_a_full_disk() {
    let machine = machine(false);
    let before = machine.disk.used();
    let mut log = started_without_room_for_the_ballast(&machine);
    let state = log.running.state();
    assert!(state.disk_full && state.open.is_none());
    assert!(matches!(log.queue(1, 20, 1), Err(Error::DiskFull)));
    assert_eq!(machine.disk.used(), before, "neither segment nor spare took the room");
    machine.disk.set_capacity(None);
    wait(&machine, &mut log, Duration::from_secs(1));
    log.append(2, 20);
    log.rotate().expect("a frame");
    assert_eq!(ballast(&machine), Some(BALLAST));
}

#[test]
fn a_log_whose_segment_comes_first_writes_the_ballast_as_soon_as_there_is_room() {
    let machine = machine(true);
    let mut log = started_without_room_for_the_ballast(&machine);
    assert!(!log.running.state().disk_full);
    log.append(1, 20);
    assert_eq!(ballast(&machine), None);
    wait(&machine, &mut log, BALLAST_INTERVAL);
    assert!(!log.running.state().disk_full, "it goes on without");
    assert_eq!(ballast(&machine), None);
    assert_eq!(log.worker.step(), Progress::Idle(Some(BALLAST_INTERVAL)), "it will look again");
    machine.disk.set_capacity(None);
    log.append(2, 20);
    log.rotate().expect("frames");
    wait(&machine, &mut log, BALLAST_INTERVAL);
    assert_eq!(ballast(&machine), Some(BALLAST));
    log.append(3, 20);
    assert_eq!(log.committed().len(), 3);
}

/// One that is never idle must have it, too.
#[test]
fn an_owed_ballast_is_written_between_two_groups() {
    let machine = machine(true);
    let mut log = started_without_room_for_the_ballast(&machine);
    machine.disk.set_capacity(None);
    machine.clock.advance(BALLAST_INTERVAL);
    log.queue(1, 20, 1).expect("there is room");
    assert_eq!(log.worker.step(), Progress::Worked);
    assert_eq!(log.committed().len(), 1);
    assert_eq!(ballast(&machine), Some(BALLAST));
}

/// btrfs and ZFS may want room to remove a file.
#[test]
fn a_full_disk_that_removes_nothing_refuses_appends_and_does_not_end_the_process() {
    for nth in 1..=6 {
        let machine = machine(false);
        let mut log = machine.start_alone();
        machine.disk.set_capacity(Some(machine.disk.used() + 100));
        machine.disk.fail_operation(Operation::Remove, nth, Errno::NoSpace);
        for id in 0..100 {
            if log.queue(id, 200, 1).is_err() {
                break;
            }
            log.settle();
        }
        // Each look at the disk tries again.
        for seconds in [1, 2, 4] {
            assert!(log.running.state().disk_full, "removal {nth}");
            wait(&machine, &mut log, Duration::from_secs(seconds));
        }
        assert_eq!(ballast(&machine), None, "removal {nth}");
        machine.disk.set_capacity(None);
        wait(&machine, &mut log, Duration::from_secs(4));
        log.append(1000, 20);
        assert!(machine.fatal.last_words.lock().is_empty(), "removal {nth}");
    }
}

#[test]
fn a_segment_that_was_never_used_and_cannot_be_removed_is_removed_later() {
    let machine = Machine::new(6);
    machine.start_alone().close();
    let recovery = machine.recover(ALONE).expect("it recovers");
    machine.disk.fail_operation(Operation::Remove, 1, Errno::NoSpace);
    let epoch = recovery.epoch().next();
    let mut log = Stepped::start(recovery, epoch).expect("it starts");
    let unused = || machine.disk.read("/data/wal/1-00000000000000000001.wal.unused".as_ref());
    assert!(unused().is_some(), "the removal failed");
    log.append(1, 20);
    log.rotate().expect("a frame");
    assert_eq!(unused(), None);
    assert!(machine.fatal.last_words.lock().is_empty());
}
