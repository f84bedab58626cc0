//! Single decisions of the walk, each with a log made for it.

use types::Lsn;

use super::damage::{Segments, log};
use crate::classify::{Verdict, Voucher, Why, classify};
use crate::format::SegmentHeader;
use crate::harness::{Machine, images};
use crate::vouched::Vouched;

fn verdict(segments: &Segments, vouched: &Vouched) -> Verdict {
    classify(&images(segments), Some(vouched), 1 << 16).expect("memory").verdict
}

fn alone(segments: &Segments) -> Verdict {
    verdict(segments, &Vouched::by_snapshot(Lsn::ZERO))
}

fn why(verdict: Verdict) -> Why {
    match verdict {
        Verdict::Corrupt { why, .. } => why,
        other => panic!("expected corruption, got {other:?}"),
    }
}

#[test]
fn whole_logs_are_told_from_those_with_room_left() {
    assert_eq!(alone(&log(true)), Verdict::Valid);
    assert_eq!(alone(&log(false)), Verdict::CleanEnd);
    assert_eq!(alone(&Segments::new()), Verdict::CleanEnd);
}

#[test]
fn a_missing_segment_in_the_middle_is_a_gap() {
    let mut segments = log(true);
    segments.remove(1);
    assert!(matches!(why(alone(&segments)), Why::LsnGap { .. }));
}

#[test]
fn a_missing_first_segment_is_a_gap_unless_the_catalog_knows_its_last_lsn() {
    let mut segments = log(true);
    segments.remove(0);
    let vouched = |lsn| Vouched { log: None, epoch: types::Epoch::new(9), lsn: Lsn::new(lsn) };
    assert!(matches!(why(verdict(&segments, &vouched(0))), Why::LsnGap { .. }));
    assert_eq!(verdict(&segments, &vouched(20)), Verdict::Valid);
}

#[test]
fn a_log_that_ends_before_what_was_committed_is_corrupt() {
    let vouched = Vouched::by_snapshot(Lsn::new(1000));
    assert!(matches!(why(verdict(&log(true), &vouched)), Why::Missing { .. }));
}

#[test]
fn a_segment_of_another_log_is_refused() {
    let mut segments = log(true);
    let name = segments[2].0;
    let header = SegmentHeader {
        log: types::LogId::from_bytes([1; 16]),
        epoch: name.epoch,
        seq: name.seq,
        salt: 0,
    };
    segments[2].1[..64].copy_from_slice(&header.encode());
    assert_eq!(why(alone(&segments)), Why::AnotherLog);
}

#[test]
fn a_segment_under_another_name_is_refused() {
    let mut segments = log(true);
    segments[2].0.seq = segments[2].0.seq.next();
    assert!(matches!(why(alone(&segments)), Why::WrongName(_)));
}

#[test]
fn two_segments_with_one_number_are_refused() {
    let mut segments = log(true);
    let twin = segments[1].clone();
    segments.insert(2, twin);
    assert!(matches!(why(alone(&segments)), Why::SameNumber(_)));
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let mut segments = log(true);
    segments[0].1[8] = 2;
    assert_eq!(why(alone(&segments)), Why::UnknownVersion(2));
}

/// By the LSNs alone a damaged idle seal looks like a torn group: what follows knows of no higher
/// durable LSN. That it begins with the very LSN expected shows that nothing but a seal was there.
#[test]
fn a_rotten_idle_seal_does_not_cost_the_group_behind_it() {
    let machine = Machine::new(5);
    let mut log = machine.start_alone();
    log.append(1, 50);
    machine.clock.advance(machine.config.idle_seal);
    log.settle();
    let sealed = machine.segments()[0].1.clone();
    let seal_at = sealed.iter().rposition(|byte| *byte != 0).expect("a seal") / 8 * 8;
    log.append(2, 50);
    let mut segments = machine.segments();
    assert_eq!(alone(&segments), Verdict::CleanEnd);
    segments[0].1[seal_at] ^= 1;
    assert!(matches!(why(alone(&segments)), Why::Rotten { voucher: Voucher::Frame(_), .. }));
}

#[test]
fn a_segment_that_came_later_vouches_even_without_frames() {
    let machine = Machine::new(6);
    let mut log = machine.start_alone();
    log.append(1, 50);
    log.rotate();
    let mut segments = machine.segments();
    segments[0].1[100] ^= 1;
    // The seal vouches too, so it is taken away first.
    let len = segments[0].1.len() - 96;
    segments[0].1.truncate(len);
    assert!(matches!(why(alone(&segments)), Why::Rotten { voucher: Voucher::Segment(_), .. }));
}
