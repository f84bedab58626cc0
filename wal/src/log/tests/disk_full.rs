//! A disk that fills up: refuse, keep what was promised, go on when there is room.

use types::Lsn;

use crate::config::Config;
use crate::error::Error;
use crate::harness::{Machine, Stepped, frames_of, small};
use crate::vouched::Vouched;

/// A machine whose disk has room for `bytes` more than a started log takes.
fn machine(config: Config, bytes: u64) -> (Machine, Stepped) {
    let machine = Machine { config, ..Machine::new(4) };
    let log = machine.start_alone();
    machine.disk.set_capacity(Some(machine.disk.used() + bytes));
    (machine, log)
}

/// Appends until the log says that the disk is full; returns how many were acked.
fn fill(log: &mut Stepped) -> u64 {
    for id in 0..1000 {
        if log.queue(id, 200, 1).is_err() {
            break;
        }
        log.settle();
    }
    assert!(log.running.state().disk_full);
    log.committed().len() as u64
}

#[test]
fn a_full_disk_refuses_and_keeps_what_was_acked_and_resumes_without_a_restart() {
    let (machine, mut log) = machine(small(), 6000);
    let acked = fill(&mut log);
    assert!(acked > 10, "two spares fit before the disk was full");
    assert_eq!(log.recorder.told.lock().refused.len(), 1, "the one that found no room");
    assert!(matches!(log.running.room().reserve(1), Err(Error::DiskFull)));
    let sealed = log.running.state().sealed;
    assert!(log.running.segments().frames(sealed[0].seq).is_ok(), "reads go on");
    log.running.drop_through(sealed[1].seq).expect("dropped");
    log.settle();
    assert!(!log.running.state().disk_full);
    log.append(2000, 200);
    log.close();
    let dropped = sealed[1].lsns.expect("frames").last();
    let recovery = machine.recover(Vouched::by_snapshot(dropped)).expect("it recovers");
    let last = frames_of(&recovery).last().map(|(_, id)| *id);
    assert_eq!(last, Some(2000));
}

#[test]
fn a_write_that_runs_out_of_room_leaves_nothing_and_its_lsns_are_used_again() {
    let (machine, mut log) = machine(small(), 1000);
    log.append(1, 20);
    // Larger than a segment, so that it has to grow the file on a disk that cannot.
    log.queue(2, 9000, 1).expect("the log has room");
    log.settle();
    assert_eq!(log.recorder.told.lock().refused, [2]);
    machine.disk.set_capacity(None);
    machine.clock.advance(std::time::Duration::from_secs(1));
    log.settle();
    log.append(4, 20);
    let lsns: Vec<_> = log.committed().iter().map(|(lsns, _)| lsns.first().get()).collect();
    assert_eq!(lsns, [1, 2]);
    log.close();
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    let ids: Vec<_> = frames_of(&recovery).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [1, 4]);
}

#[test]
fn the_ballast_makes_room_for_others_and_comes_back_before_appends_do() {
    let config = Config { ballast_size: 3000, ..small() };
    let (machine, mut log) = machine(config, 100);
    fill(&mut log);
    let free = |machine: &Machine| machine.disk.read("/data/wal/ballast".as_ref()).is_none();
    assert!(free(&machine), "the ballast was freed");
    // What it freed is not enough to go on: it is for those who persist.
    machine.clock.advance(std::time::Duration::from_secs(1));
    log.settle();
    assert!(log.running.state().disk_full && free(&machine));
    let capacity = machine.disk.used() + 3000 + 2048 + 100;
    machine.disk.set_capacity(Some(capacity));
    machine.clock.advance(std::time::Duration::from_secs(1));
    log.settle();
    assert!(!log.running.state().disk_full && !free(&machine));
}

#[test]
fn a_start_on_a_full_disk_reads_and_refuses_appends() {
    let machine = Machine::new(6);
    let mut log = machine.start_alone();
    log.append(1, 200);
    drop(log);
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    machine.disk.set_capacity(Some(0));
    let epoch = recovery.epoch().next();
    let log = Stepped::start(recovery, epoch).expect("it starts");
    let state = log.running.state();
    assert!(state.disk_full && state.open.is_none());
    assert_eq!(log.running.segments().frames(state.sealed[0].seq).expect("sealed").count(), 1);
}
