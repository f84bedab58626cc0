//! Faults found in another system's log, each with a test that this one does not have it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use types::effect::SeededRandomness;
use types::{LsnRange, SegmentSeq};

use crate::disk::{Cut, ModelDisk};
use crate::error::Error;
use crate::harness::{DIR, Machine, frames_of, small};
use crate::log::{CommitObserver, Group};
use crate::segment::{SealedSegment, SegmentName};
use crate::vouched::Vouched;

const ALONE: Vouched = Vouched::by_snapshot(types::Lsn::ZERO);

/// What a new process finds on `disk`.
fn ids_on(disk: ModelDisk) -> Vec<u64> {
    let recovery = Machine::with(disk, small()).recover(ALONE).expect("it starts");
    frames_of(&recovery).into_iter().map(|(_, id)| id).collect()
}

/// A log of two acked frames that was killed, and its newest segment.
fn killed() -> (Machine, SegmentName, Vec<u8>) {
    let machine = Machine::new(1);
    let mut log = machine.start_alone();
    log.append(1, 100);
    log.append(2, 100);
    drop(log);
    let disk = machine.disk.after(Cut::Kill, &SeededRandomness::new(1));
    let machine = Machine::with(disk, small());
    let (name, bytes) = machine.segments().pop().expect("a segment");
    (machine, name, bytes)
}

fn plant(machine: &Machine, name: SegmentName, bytes: &[u8]) {
    machine.disk.plant(&Path::new(DIR).join(name.to_string()), bytes);
}

/// The name of a new segment was not synced before frames in it were acked.
#[test]
fn iox_w1_a_segment_has_its_name_before_anything_in_it_is_acked() {
    let machine = Machine::new(2);
    let mut log = machine.start_alone();
    for id in 0..12 {
        log.append(id, 400);
        for seed in 0..8 {
            let cut = if seed % 2 == 0 { Cut::PowerInOrder } else { Cut::PowerAnyOrder };
            let disk = machine.disk.after(cut, &SeededRandomness::new(seed));
            assert_eq!(ids_on(disk), (0..=id).collect::<Vec<_>>());
        }
    }
    assert!(log.recorder.told.lock().sealed.len() > 1);
}

/// A log did not start when a power cut had left anything but a short file.
#[test]
fn iox_w2_a_tail_torn_in_any_shape_does_not_keep_a_log_from_starting() {
    let (machine, name, bytes) = killed();
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    // A part of the first frame; all of it would be a whole frame in the wrong place.
    let frame = &bytes[64..64 + 96 + 100];
    for len in 1..frame.len() {
        let short = [&bytes[..end], &frame[..len]].concat();
        let padded = [&short[..], &[0; 300]].concat();
        let garbage = [&bytes[..end], &vec![0xa5; len]].concat();
        for torn in [short, padded, garbage] {
            let chance = SeededRandomness::new(len as u64);
            let again = Machine::with(machine.disk.after(Cut::Kill, &chance), small());
            plant(&again, name, &torn);
            assert_eq!(ids_on(again.disk), [1, 2]);
        }
    }
}

/// A log did not start over an empty segment, or one with a part of its header.
#[test]
fn iox_w3_an_empty_or_headless_newest_segment_does_not_keep_a_log_from_starting() {
    let (machine, name, bytes) = killed();
    let next = SegmentName { seq: name.seq.next(), ..name };
    for len in 0..64 {
        let chance = SeededRandomness::new(len as u64);
        let again = Machine::with(machine.disk.after(Cut::Kill, &chance), small());
        plant(&again, next, &bytes[..len]);
        let log = again.start_alone();
        let open = log.running.state().open.expect("an open segment");
        assert_eq!(open.seq, SegmentSeq::new(3), "its number is not used again");
        drop(log);
        assert_eq!(ids_on(again.disk), [1, 2]);
    }
}

/// Frames were acked behind the remains of one that had found no room.
#[test]
fn iox_w4_nothing_is_acked_behind_a_frame_that_found_no_room() {
    let machine = Machine::new(4);
    let mut log = machine.start_alone();
    log.append(1, 100);
    machine.disk.set_capacity(Some(machine.disk.used() + 700));
    log.queue(2, 5000, 1).expect("the log has room");
    log.settle();
    assert_eq!(log.recorder.told.lock().refused, [2]);
    machine.disk.set_capacity(None);
    machine.clock.advance(std::time::Duration::from_secs(1));
    log.settle();
    log.append(3, 100);
    drop(log);
    assert_eq!(ids_on(machine.disk.after(Cut::PowerInOrder, &SeededRandomness::new(1))), [1, 3]);
}

/// A failed fsync ended a thread, and the process lived on.
#[test]
fn iox_w5_a_failed_fsync_ends_the_process_at_once() {
    let machine = Machine::new(5);
    let mut log = machine.start_alone();
    log.queue(1, 100, 1).expect("room");
    machine.disk.fail_sync(1);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    assert_eq!(machine.fatal.last_words.lock().len(), 1);
    assert!(log.committed().is_empty());
}

/// The checksum did not cover the length, bodies were inflated before they were checked and
/// without a limit, and up to three stray bytes were a clean end.
#[test]
fn iox_w6_lengths_are_checked_before_they_are_believed() {
    let (machine, name, bytes) = killed();
    // The lengths of the first frame lie at 36 and 40 of its header.
    for bit in 0..64 {
        let mut wrong = bytes.clone();
        wrong[64 + 36 + bit / 8] ^= 1 << (bit % 8);
        let chance = SeededRandomness::new(bit as u64);
        let again = Machine::with(machine.disk.after(Cut::Kill, &chance), small());
        plant(&again, name, &wrong);
        assert!(matches!(again.recover(ALONE), Err(Error::Corrupt { offset: 64, .. })));
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    plant(&machine, name, &[&bytes[..end], &[1, 2, 3]].concat());
    let recovery = machine.recover(ALONE).expect("it starts");
    let torn = recovery.segments()[0].torn.expect("stray bytes are a torn tail");
    assert_eq!((torn.at, torn.bytes), (end as u64, 3));
}

/// Looks at what the disk would keep, whenever it is told of a group.
#[derive(Debug)]
struct Sceptic {
    disk: ModelDisk,
    checked: u64,
}

impl CommitObserver<u64> for Sceptic {
    fn committed(&mut self, group: Group<u64>) {
        self.checked += 1;
        let disk = self.disk.after(Cut::PowerAnyOrder, &SeededRandomness::new(self.checked));
        let last = group.frames.last().expect("a group has frames").payload;
        assert_eq!(ids_on(disk).last(), Some(&last));
    }

    fn refused(&mut self, _payload: u64, error: &Error) {
        panic!("there is room: {error}");
    }

    fn sealed(&mut self, _segment: &SealedSegment) {}
}

/// Writes were visible before they were durable.
#[test]
fn iox_w7_the_observer_hears_of_a_frame_only_when_it_is_durable() {
    use types::effect::Progress;

    use crate::log::{Append, assemble};

    let machine = Machine::new(7);
    let recovery = machine.recover(ALONE).expect("it recovers");
    let epoch = recovery.epoch().next();
    let sceptic = Sceptic { disk: machine.disk.clone(), checked: 0 };
    let origin = recovery.origin(epoch).expect("a new epoch");
    let (running, mut worker, _lock) = assemble(origin, sceptic, false).expect("it starts");
    for id in 0..20 {
        let body = crate::Body::encode(crate::harness::body_of(id, 300), &small());
        let body = body.expect("it is small");
        let space = running.room().reserve(body.frame_len()).expect("room");
        let (batches, batch_id) = (std::num::NonZeroU32::MIN, types::BatchId::default());
        let append = Append { body, batches, batch_id, payload: id, space };
        assert!(running.append(append).is_ok());
        while worker.step() == Progress::Worked {}
    }
    assert_eq!(worker.observer.checked, 20);
}

/// Two processes could share a log, and numbers were used again when all segments were dropped.
#[test]
fn iox_w8_a_log_has_one_owner_and_a_number_is_used_once() {
    let machine = Machine::new(8);
    let mut log = machine.start_alone();
    assert!(matches!(machine.recover(ALONE), Err(Error::Locked { .. })));
    log.append(1, 100);
    let sealed = log.rotate().expect("a frame");
    log.running.drop_through(sealed.seq).expect("dropped");
    drop(log);
    let last = sealed.lsns.map(LsnRange::last).expect("a frame");
    for expected in [3, 4, 5] {
        let log = machine.start(Vouched::by_snapshot(last)).expect("it starts");
        let state = log.running.state();
        assert_eq!(state.open.expect("open").seq, SegmentSeq::new(expected));
        assert_eq!(state.next_lsn, last.next());
    }
}

/// A dropped segment could come back, or be forgotten while it was still there.
#[test]
fn iox_w9_a_dropped_segment_stays_dropped_and_one_that_is_there_is_not_forgotten() {
    let machine = Machine::new(9);
    let mut log = machine.start_alone();
    for id in 0..3 {
        log.append(id, 100);
        log.rotate().expect("a frame");
    }
    let sealed = log.running.state().sealed;
    log.running.drop_through(sealed[0].seq).expect("dropped");
    let last = sealed[0].lsns.map(LsnRange::last).expect("a frame");
    for seed in 0..16 {
        let cut = if seed % 2 == 0 { Cut::PowerInOrder } else { Cut::PowerAnyOrder };
        let disk = machine.disk.after(cut, &SeededRandomness::new(seed));
        let recovery = Machine::with(disk, small()).recover(Vouched::by_snapshot(last));
        let recovery = recovery.expect("it recovers");
        assert_eq!(recovery.segments()[0].seq, sealed[1].seq, "seed {seed}");
    }
    // A removal that fails leaves the entry, and can be repeated.
    machine.disk.die_at_call(1);
    assert!(log.running.drop_through(sealed[1].seq).is_err());
    assert_eq!(log.running.state().sealed[0].seq, sealed[1].seq);
}

/// Commits carried no epoch, so that a process which woke up late could still make them.
#[test]
fn iox_w10_an_epoch_that_was_used_cannot_open_the_log_again() {
    let machine = Machine::new(10);
    drop(machine.start_alone());
    let recovery = machine.recover(ALONE).expect("it recovers");
    let epoch = recovery.epoch();
    assert!(matches!(recovery.origin(epoch), Err(Error::StaleEpoch { .. })));
}
