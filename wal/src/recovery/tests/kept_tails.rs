//! Torn tails are kept for people, but not without end.

use std::path::Path;

use types::{Epoch, Lsn, SegmentSeq};

use crate::harness::{DIR, Machine};
use crate::inspect;
use crate::recovery::kept_tails::KEPT_TAILS_MAX;
use crate::segment::SegmentName;
use crate::vouched::Vouched;

/// Keeps a torn tail of each of these segments, as recoveries of long ago would have.
fn keep(machine: &Machine, segments: impl Iterator<Item = u64>) {
    for seq in segments {
        let name = SegmentName { seq: SegmentSeq::new(seq), epoch: Epoch::new(1) };
        machine.disk.plant(&Path::new(DIR).join(name.torn()), b"torn");
    }
}

/// The numbers of the segments whose torn tails are kept.
fn kept(machine: &Machine) -> Vec<u64> {
    let report = inspect::segments(&machine.disk, Path::new(DIR)).expect("it can be read");
    report.kept_tails.iter().map(|kept| kept.segment.seq.get()).collect()
}

/// Adds stray bytes behind the last frame of the newest segment, whose number is returned.
fn tear_newest(machine: &Machine) -> u64 {
    let report = inspect::segments(&machine.disk, Path::new(DIR)).expect("it can be read");
    let newest = report.segments.last().expect("there is one");
    let path = Path::new(DIR).join(newest.name().to_string());
    let bytes = machine.disk.read(&path).expect("it was listed");
    let end = usize::try_from(newest.bytes).expect("small");
    machine.disk.plant(&path, &[&bytes[..end], b"stray"].concat());
    newest.seq.get()
}

fn recover(machine: &Machine) -> u64 {
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    recovery.torn_tails().count
}

#[test]
fn only_the_newest_torn_tails_are_kept() {
    let machine = Machine::new(1);
    machine.start_alone().append(1, 100);
    keep(&machine, 1..=8);
    assert_eq!((recover(&machine), kept(&machine)), (0, (1..=8).collect::<Vec<u64>>()));
    keep(&machine, 9..=20);
    assert_eq!((recover(&machine), kept(&machine)), (0, (13..=20).collect::<Vec<u64>>()));
}

#[test]
fn the_torn_tail_that_is_cut_off_now_is_one_of_them() {
    let machine = Machine::new(1);
    machine.start_alone().append(1, 100);
    keep(&machine, 1..=8);
    // Its segment has a number above those of all files.
    machine.start_alone().append(2, 100);
    let torn = tear_newest(&machine);
    assert_eq!(recover(&machine), 1);
    let kept = kept(&machine);
    assert_eq!((kept.len(), kept.last()), (KEPT_TAILS_MAX, Some(&torn)));
    assert_eq!(kept[0], 2, "the oldest made room for it");
}
