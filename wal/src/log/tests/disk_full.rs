//! A disk that fills up: refuse, keep what was promised, go on when there is room.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use types::effect::{Progress, SeededRandomness};
use types::{Lsn, SegmentSeq};

use crate::config::Config;
use crate::disk::Cut;
use crate::error::Error;
use crate::harness::{Machine, Stepped, frames_of, small};
use crate::vouched::Vouched;

const ALONE: Vouched = Vouched::by_snapshot(Lsn::ZERO);

/// The ids that the next process finds after a power cut.
fn ids_after_a_cut(machine: &Machine) -> Vec<u64> {
    let disk = machine.disk.after(Cut::PowerAnyOrder, &SeededRandomness::new(1));
    let recovery = Machine::with(disk, small()).recover(ALONE).expect("it recovers");
    frames_of(&recovery).into_iter().map(|(_, id)| id).collect()
}

fn wait(machine: &Machine, log: &mut Stepped, seconds: u64) {
    machine.clock.advance(Duration::from_secs(seconds));
    log.settle();
}

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
fn z2_a_write_that_runs_out_of_room_leaves_nothing_and_its_lsns_are_used_again() {
    let (machine, mut log) = machine(small(), 1000);
    log.append(1, 20);
    // Larger than a segment, so that it has to grow the file on a disk that cannot.
    log.queue(2, 9000, 1).expect("the log has room");
    log.settle();
    assert_eq!(log.recorder.told.lock().refused, [2]);
    machine.disk.set_capacity(None);
    wait(&machine, &mut log, 1);
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
    wait(&machine, &mut log, 1);
    assert!(log.running.state().disk_full && free(&machine));
    let capacity = machine.disk.used() + 3000 + 2048 + 100;
    machine.disk.set_capacity(Some(capacity));
    wait(&machine, &mut log, 2);
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

/// Such a segment would look like one whose frames were lost if the next were begun behind it.
#[test]
fn a_segment_whose_first_group_found_no_room_is_used_when_there_is_some() {
    let (machine, mut log) = machine(small(), 1000);
    log.append(1, 20);
    for id in [2, 4] {
        log.queue(id, 9000, 1).expect("the log has room");
        log.settle();
        let state = log.running.state();
        assert!(state.disk_full);
        let open = state.open.expect("it has no frames");
        assert_eq!((open.seq, open.frames, open.bytes), (SegmentSeq::new(2), 0, 64));
        assert_eq!(state.sealed.len(), 1);
        assert_eq!(ids_after_a_cut(&machine), [1]);
        wait(&machine, &mut log, 1);
        assert!(!log.running.state().disk_full, "a segment of the usual size fits");
        let bytes = machine.segments()[1].1.len() as u64;
        assert_eq!(bytes, machine.config.segment_size, "its zeros are written ahead again");
    }
    log.append(5, 20);
    log.rotate().expect("a frame");
    log.append(7, 20);
    assert_eq!(ids_after_a_cut(&machine), [1, 5, 7]);
}

#[test]
fn a_start_on_a_full_disk_remembers_what_is_to_be_removed() {
    let machine = Machine::new(6);
    machine.start_alone().close();
    let recovery = machine.recover(ALONE).expect("it recovers");
    machine.disk.set_capacity(Some(0));
    let epoch = recovery.epoch().next();
    let mut log = Stepped::start(recovery, epoch).expect("it starts");
    assert!(log.running.state().disk_full && machine.segments().is_empty());
    assert_eq!(ids_after_a_cut(&machine), [0; 0]);
    machine.disk.set_capacity(None);
    wait(&machine, &mut log, 1);
    log.append(1, 20);
    let seqs: Vec<_> = machine.segments().iter().map(|(name, _)| name.seq.get()).collect();
    assert_eq!(seqs, [2]);
    assert_eq!(machine.disk.read("/data/wal/1-00000000000000000001.wal.unused".as_ref()), None);
    assert_eq!(ids_after_a_cut(&machine), [1]);
}

#[test]
fn a_full_disk_is_looked_at_less_and_less_often_until_something_is_dropped() {
    let (machine, mut log) = machine(small(), 6000);
    fill(&mut log);
    machine.disk.set_capacity(Some(0));
    let seconds = |seconds| Progress::Idle(Some(Duration::from_secs(seconds)));
    for expected in [1, 2, 4, 4] {
        assert_eq!(log.worker.step(), seconds(expected));
        machine.clock.advance(Duration::from_secs(expected));
        assert_eq!(log.worker.step(), Progress::Worked);
    }
    let oldest = log.running.state().sealed[0].seq;
    log.running.drop_through(oldest).expect("dropped");
    assert_eq!(log.worker.step(), Progress::Worked);
    assert_eq!(log.worker.step(), seconds(1));
    machine.disk.set_capacity(None);
    wait(&machine, &mut log, 1);
    assert!(!log.running.state().disk_full);
}

#[test]
fn a_sync_that_finds_no_room_is_a_full_disk_if_the_group_can_be_cut_off() {
    // With and without frames in the segment before the group.
    for before in [0, 1] {
        let machine = Machine::new(4);
        let mut log = machine.start_alone();
        for id in 0..before {
            log.append(id, 20);
        }
        log.queue(7, 300, 1).expect("room");
        machine.disk.fill_at_sync(1, 1);
        log.settle();
        assert_eq!(log.recorder.told.lock().refused, [7]);
        assert!(log.running.state().disk_full);
        assert_eq!(ids_after_a_cut(&machine), (0..before).collect::<Vec<_>>());
        wait(&machine, &mut log, 1);
        log.append(8, 20);
        assert_eq!(ids_after_a_cut(&machine).last(), Some(&8));
        assert!(machine.fatal.last_words.lock().is_empty());
    }
}

#[test]
fn a_group_that_cannot_be_cut_off_durably_ends_the_process() {
    let machine = Machine::new(4);
    let mut log = machine.start_alone();
    log.append(1, 20);
    log.queue(2, 300, 1).expect("room");
    machine.disk.fill_at_sync(1, 2);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    let words = machine.fatal.last_words.lock().clone();
    assert!(words.len() == 1 && words[0].starts_with("cannot sync"), "{words:?}");
    assert!(log.recorder.told.lock().refused.is_empty(), "nobody was told anything");
    assert_eq!(log.committed().len(), 1);
}

#[test]
fn a_segment_that_finds_no_descriptor_is_waited_for_as_room_is() {
    let machine = Machine::new(4);
    let mut log = machine.start_alone();
    log.append(1, 20);
    machine.disk.set_out_of_descriptors(true);
    log.rotate().expect("a frame");
    assert!(matches!(log.queue(2, 20, 1), Err(Error::DiskFull)));
    wait(&machine, &mut log, 1);
    assert!(log.running.state().disk_full);
    machine.disk.set_out_of_descriptors(false);
    wait(&machine, &mut log, 2);
    log.append(3, 20);
    assert_eq!(ids_after_a_cut(&machine), [1, 3]);
}

#[test]
fn a_ballast_that_finds_no_descriptor_stays_where_it_is() {
    let config = Config { ballast_size: 3000, ..small() };
    let (machine, mut log) = machine(config, 1 << 20);
    log.append(1, 20);
    machine.disk.set_out_of_descriptors(true);
    log.rotate().expect("a frame");
    wait(&machine, &mut log, 1);
    assert!(log.running.state().disk_full);
    let ballast = || machine.disk.read("/data/wal/ballast".as_ref()).map(|bytes| bytes.len());
    assert_eq!(ballast(), Some(3000), "to free it would find no descriptor");
    machine.disk.set_out_of_descriptors(false);
    wait(&machine, &mut log, 2);
    log.append(3, 20);
    assert_eq!(ballast(), Some(3000));
}

/// Loki's #12583, Prometheus' #7835, influxdb's #24460: a part of a frame stayed and more was written
/// behind it, or nothing could be written again without a restart.
#[test]
fn b7_a_full_disk_in_the_middle_of_an_append_leaves_nothing_and_is_resumed_without_a_restart() {
    let mut refused = 0;
    for free in (0..6000_u64).step_by(100) {
        let (machine, mut log) = machine(small(), free);
        log.append(1, 100);
        log.queue(2, 5000, 1).expect("the log has room");
        log.settle();
        if log.committed().len() == 2 {
            continue;
        }
        refused += 1;
        assert_eq!(log.recorder.told.lock().refused, [2]);
        assert!(matches!(log.queue(3, 20, 1), Err(Error::DiskFull)));
        assert_eq!(ids_after_a_cut(&machine), [1], "{free} bytes");
        machine.disk.set_capacity(None);
        wait(&machine, &mut log, 1);
        log.append(4, 100);
        assert_eq!(ids_after_a_cut(&machine), [1, 4], "{free} bytes");
    }
    assert!((10..60).contains(&refused), "{refused} of 60 sizes were too small");
}
