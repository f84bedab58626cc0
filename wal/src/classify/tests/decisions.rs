//! Single decisions of the walk, each with a log made for it.

use types::Lsn;

use super::damage::{Segments, begun_behind, log};
use crate::classify::{Verdict, Voucher, Why, classify};
use crate::format::SegmentHeader;
use crate::harness::{Machine, Stepped, images};
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
fn b10_a_missing_segment_in_the_middle_is_a_gap() {
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

#[test]
fn a_segment_without_frames_in_front_of_a_begun_one_has_lost_them() {
    let mut segments = log(true);
    segments.push(begun_behind(&segments));
    assert_eq!(alone(&segments), Verdict::CleanEnd);
    segments.push(begun_behind(&segments));
    assert_eq!(why(alone(&segments)), Why::Emptied(segments[4].0));
    let whole = segments[3].1.clone();
    for len in [0, 30, 64] {
        segments[3].1 = whole[..len].to_vec();
        assert_eq!(why(alone(&segments)), Why::Emptied(segments[4].0), "{len} bytes");
    }
}

#[test]
fn zeros_behind_a_frame_that_is_no_seal_are_no_end_in_front_of_a_begun_segment() {
    let machine = Machine::new(8);
    let mut log = machine.start_alone();
    for id in 1..4 {
        log.append(id, 50);
    }
    log.rotate().expect("frames");
    let whole = machine.segments();
    let frames_end = whole[0].1.len() - 96;
    // The seal, and with it the third frame.
    for lost in [0, 96 + 50] {
        let mut segments = whole.clone();
        segments[0].1[frames_end - lost..].fill(0);
        assert_eq!(why(alone(&segments)), Why::Unsealed(segments[1].0));
        // Cut off there it is what a full disk leaves, which had no room for a seal.
        segments[0].1.truncate(frames_end - lost);
        assert_eq!(alone(&segments), Verdict::CleanEnd);
    }
    // The seal stays, and the zeros that a rotation cuts off come back.
    let mut segments = whole.clone();
    segments[0].1.resize(2048, 0);
    assert_eq!(alone(&segments), Verdict::CleanEnd);
}

/// A log whose first segment is dropped, with LSN 1 in it; what `fill` appends is the rest.
fn dropped(fill: impl Fn(&mut Stepped)) -> Segments {
    let machine = Machine::new(7);
    let mut log = machine.start_alone();
    log.append(1, 50);
    log.rotate().expect("a frame");
    fill(&mut log);
    let mut segments = machine.segments();
    segments.remove(0);
    segments
}

fn knows(lsn: u64) -> Vouched {
    Vouched { log: None, epoch: types::Epoch::new(9), lsn: Lsn::new(lsn) }
}

#[test]
fn the_catalog_vouches_for_a_first_frame_whose_header_is_whole() {
    let mut segments = dropped(|log| log.append(2, 50));
    assert_eq!(verdict(&segments, &knows(1)), Verdict::CleanEnd);
    segments[0].1[64 + 96 + 10] ^= 1;
    assert!(matches!(verdict(&segments, &knows(1)), Verdict::TornTail { .. }));
    let voucher = Voucher::Catalog(Lsn::new(2));
    assert!(matches!(
        why(verdict(&segments, &knows(2))),
        Why::Rotten { voucher: found, .. } if found == voucher
    ));
}

#[test]
fn the_catalog_vouches_for_a_first_frame_by_what_follows_it() {
    let mut segments = dropped(|log| {
        for id in [2, 3] {
            log.queue(id, 50, 1).expect("room");
        }
        log.settle();
    });
    assert_eq!(verdict(&segments, &knows(1)), Verdict::CleanEnd);
    // Its header is gone, and the frame behind it belongs to the same group.
    segments[0].1[64] ^= 1;
    assert!(matches!(verdict(&segments, &knows(1)), Verdict::TornTail { .. }));
    for lsn in [2, 3] {
        let why = why(verdict(&segments, &knows(lsn)));
        assert!(matches!(why, Why::Rotten { voucher: Voucher::Frame(_), .. }), "{why:?}");
    }
}

#[test]
fn reserved_bytes_that_are_not_zero_are_refused_under_a_right_checksum() {
    let mut segments = log(true);
    segments[1].1[12] = 1;
    let crc = crc32fast::hash(&segments[1].1[..60]);
    segments[1].1[60..64].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(why(alone(&segments)), Why::Nonsense);
}
