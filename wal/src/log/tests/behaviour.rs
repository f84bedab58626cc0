//! What a log does when nothing goes wrong, and when the disk says no once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use types::effect::Progress;
use types::{ErrorKind, Lsn, LsnRange};

use crate::disk::ModelDisk;
use crate::error::Error;
use crate::harness::{Machine, Stepped, frames_of, small};
use crate::vouched::Vouched;

fn range(first: u64, last: u64) -> LsnRange {
    LsnRange::new(Lsn::new(first), Lsn::new(last))
}

/// What a new process reads back.
fn reopened(machine: &Machine) -> Vec<(LsnRange, u64)> {
    frames_of(&machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers"))
}

#[test]
fn what_arrives_together_is_one_group_with_consecutive_lsns() {
    let machine = Machine::new(1);
    let mut log = machine.start_alone();
    log.queue(1, 20, 1).expect("room");
    log.queue(2, 20, 3).expect("room");
    let syncs = machine.disk.calls();
    log.settle();
    assert_eq!(machine.disk.calls() - syncs, 2, "one write and one sync");
    assert_eq!(log.committed(), [(range(1, 1), 1), (range(2, 4), 2)]);
    assert_eq!(log.recorder.told.lock().groups.len(), 1);
    log.close();
    assert_eq!(reopened(&machine), [(range(1, 1), 1), (range(2, 4), 2)]);
}

#[test]
fn a_group_never_spans_two_segments() {
    let machine = Machine::new(2);
    let mut log = machine.start_alone();
    for id in 0..20 {
        log.append(id, 400);
    }
    let told = log.recorder.told.lock();
    assert!(told.sealed.len() >= 4, "2 KiB hold four such frames");
    let lsns: Vec<_> = told.sealed.iter().filter_map(|sealed| sealed.lsns).collect();
    assert!(lsns.windows(2).all(|pair| pair[0].last().next() == pair[1].first()));
}

#[test]
fn a_request_larger_than_a_segment_gets_one_of_its_own() {
    let machine = Machine::new(3);
    let mut log = machine.start_alone();
    log.append(1, 20);
    log.append(2, 5000);
    log.append(4, 20);
    let segments: Vec<_> = log.recorder.told.lock().groups.clone();
    let seqs: Vec<_> = segments.iter().map(|group| group.0.get()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    log.close();
    assert_eq!(reopened(&machine).len(), 3);
}

#[test]
fn a_rotation_without_frames_is_none_and_with_frames_tells_their_range() {
    let machine = Machine::new(4);
    let mut log = machine.start_alone();
    assert_eq!(log.rotate(), None);
    log.append(1, 20);
    log.append(2, 20);
    assert_eq!(log.rotate().and_then(|sealed| sealed.lsns), Some(range(1, 2)));
    assert_eq!(log.rotate(), None);
}

#[test]
fn an_idle_log_is_sealed_once_and_only_after_its_second() {
    let machine = Machine::new(5);
    let mut log = machine.start_alone();
    log.append(1, 20);
    let wait = log.worker.step();
    assert_eq!(wait, Progress::Idle(Some(machine.config.idle_seal)));
    machine.clock.advance(machine.config.idle_seal);
    assert_eq!(log.worker.step(), Progress::Worked);
    assert_eq!(log.worker.step(), Progress::Idle(None));
    // The segment goes on behind its seal.
    log.append(2, 20);
    assert_eq!(log.running.state().open.map(|open| open.frames), Some(2));
    log.close();
    assert_eq!(reopened(&machine).len(), 2);
}

#[test]
fn sealed_segments_are_read_back_and_dropped_oldest_first() {
    let machine = Machine::new(6);
    let mut log = machine.start_alone();
    for id in 0..3 {
        log.append(id, 20);
        log.rotate().expect("a frame");
    }
    let sealed = log.running.state().sealed;
    let frames: Vec<_> = log.running.segments().frames(sealed[1].seq).expect("sealed").collect();
    assert_eq!(frames.len(), 1);
    let before = log.running.state().bytes;
    log.running.drop_through(sealed[1].seq).expect("dropped");
    log.running.drop_through(sealed[1].seq).expect("again");
    let state = log.running.state();
    assert_eq!(state.sealed.len(), 1);
    assert!(state.bytes < before);
    let gone = log.running.segments().frames(sealed[0].seq);
    assert!(matches!(gone, Err(Error::NoSuchSegment { .. })));
}

#[test]
fn a_log_at_its_size_refuses_until_segments_are_dropped() {
    let machine = Machine::with(ModelDisk::new(1), crate::Config { max_size: 4096, ..small() });
    let mut log = machine.start_alone();
    let mut id = 0;
    let refusal = loop {
        match log.queue(id, 300, 1) {
            Ok(()) => log.settle(),
            Err(error) => break error,
        }
        id += 1;
    };
    assert!(matches!(refusal, Error::LogFull { .. }));
    assert_eq!(refusal.kind(), ErrorKind::Busy);
    let oldest = log.running.state().sealed[0].seq;
    log.running.drop_through(oldest).expect("dropped");
    log.append(id, 300);
}

#[test]
fn b9_a_failed_sync_ends_the_process_and_nobody_is_told_of_the_group() {
    let machine = Machine::new(8);
    let mut log = machine.start_alone();
    log.append(1, 20);
    log.queue(2, 20, 1).expect("room");
    machine.disk.fail_sync(1);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    assert_eq!(log.committed(), [(range(1, 1), 1)]);
    let words = machine.fatal.last_words.lock().clone();
    assert!(words.len() == 1 && words[0].starts_with("cannot sync"), "{words:?}");
}

#[test]
fn calls_that_do_less_than_asked_are_finished() {
    let machine = Machine::new(9);
    machine.disk.set_partial_calls(true);
    let mut log = machine.start_alone();
    for id in 0..50 {
        log.append(id, 30 * (id as usize % 20));
    }
    log.close();
    let ids: Vec<_> = reopened(&machine).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, (0..50).collect::<Vec<_>>());
}

#[test]
fn an_epoch_is_used_once_and_lsns_go_on() {
    let machine = Machine::new(10);
    machine.start_alone().append(1, 20);
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    let epoch = recovery.epoch();
    assert_eq!(recovery.next_lsn(), Lsn::new(2));
    let refusal = Stepped::start(recovery, epoch).expect_err("the epoch was used");
    assert!(matches!(refusal, Error::StaleEpoch { .. }));
    let mut log = machine.start_alone();
    assert_eq!(log.epoch, epoch.next());
    log.append(2, 20);
    assert_eq!(log.committed(), [(range(2, 2), 2)]);
}

#[test]
fn a_frame_needs_space_for_all_of_it() {
    use std::num::NonZeroU32;

    let machine = Machine::new(11);
    let log = machine.start_alone();
    let body = crate::Body::encode(vec![1; 50], &machine.config).expect("small");
    let space = log.running.room().reserve(body.frame_len() - 1).expect("room");
    let handle = crate::LogHandle::new(log.running);
    let batch_id = types::BatchId::default();
    let append = crate::Append { body, batches: NonZeroU32::MIN, batch_id, payload: 5, space };
    let (error, payload) = handle.append(append).expect_err("one byte is missing");
    assert!(matches!(error, Error::SpaceTooSmall { .. }));
    assert_eq!(payload, 5);
}
