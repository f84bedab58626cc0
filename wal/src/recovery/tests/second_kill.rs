//! A second crash at every disk call of recovery and of the start behind it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use types::effect::{Disk, Randomness, SeededRandomness};
use types::{Lsn, SegmentSeq};

use crate::disk::{Cut, ModelDisk};
use crate::harness::{DIR, Machine, Stepped, evidence, frames_of, segments_of, small};
use crate::vouched::Vouched;

/// A log of three segments whose last group a power cut tore, as it is on disk.
fn torn(seed: u64) -> (ModelDisk, usize) {
    let machine = Machine::new(seed);
    let mut log = machine.start_alone();
    for id in 0..10 {
        log.append(id, 300);
    }
    log.rotate().expect("frames");
    log.append(10, 300);
    for id in 11..14 {
        log.queue(id, 300, 1).expect("room");
    }
    // The group is written, and its sync never returns.
    machine.disk.die_at_call(2);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    let acked = log.committed().len();
    (machine.disk.after(Cut::PowerAnyOrder, &SeededRandomness::new(seed)), acked)
}

/// A log that was closed `closes` times, with or without frames: a segment with only a header is
/// the newest, or all there is.
fn closed(with_frames: bool, closes: usize) -> ModelDisk {
    let machine = Machine::new(1);
    if with_frames {
        let mut log = machine.start_alone();
        log.append(1, 300);
        log.append(2, 300);
    }
    for _ in 0..closes {
        machine.start_alone().close();
    }
    machine.disk.after(Cut::Kill, &SeededRandomness::new(1))
}

/// A fresh segment whose first group a power cut tore.
fn torn_first_group(seed: u64, with_frames: bool) -> ModelDisk {
    let disk = closed(with_frames, 0);
    let machine = Machine::with(disk, small());
    let mut log = machine.start_alone();
    for id in 11..14 {
        log.queue(id, 300, 1).expect("room");
    }
    machine.disk.die_at_call(2);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    machine.disk.after(Cut::PowerAnyOrder, &SeededRandomness::new(seed))
}

/// Recovers and starts, dying at `call`; what is on disk then, and whether it came to an end.
fn killed_at(disk: &ModelDisk, call: u64) -> (ModelDisk, bool) {
    let disk = disk.after(Cut::Kill, &SeededRandomness::new(call));
    disk.die_at_call(call);
    let machine = Machine::with(disk.clone(), small());
    let started = machine.start(Vouched::by_snapshot(Lsn::ZERO)).is_ok();
    (disk, started)
}

/// The frames that the next process finds; it starts, too, and uses no number twice.
fn frames(disk: ModelDisk, highest: Option<SegmentSeq>) -> Vec<(types::LsnRange, u64)> {
    let machine = Machine::with(disk, small());
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("kills are harmless");
    let (frames, epoch) = (frames_of(&recovery), recovery.epoch().next());
    let log = Stepped::start(recovery, epoch).expect("it starts");
    let open = log.running.state().open.expect("an open segment");
    assert!(Some(open.seq) > highest, "{} was used before", open.seq);
    let entries = machine.disk.list(DIR.as_ref()).expect("the directory");
    assert!(!entries.iter().any(|entry| entry.name.ends_with(".unused")), "{entries:?}");
    frames
}

/// Kills recovery and start at each call, and what follows by every kind of cut.
fn check(disk: &ModelDisk, seed: u64) -> (Vec<(types::LsnRange, u64)>, u64) {
    let mut kills = 0;
    let chance = SeededRandomness::new(seed ^ 0xabcd);
    let highest = segments_of(disk).last().map(|(name, _)| name.seq);
    let expected = frames(disk.after(Cut::Kill, &chance), highest);
    for call in 1.. {
        let (dead, ended) = killed_at(disk, call);
        for cut in [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder, Cut::PowerAnyOrder] {
            let again = SeededRandomness::new(chance.next_u64());
            let found = frames(dead.after(cut, &again), highest);
            assert_eq!(found, expected, "call {call}, {cut:?}");
            kills += 1;
        }
        if ended {
            break;
        }
    }
    (expected, kills)
}

#[test]
fn z4_a_second_kill_at_any_call_of_recovery_is_harmless() {
    let mut sum = 0;
    for seed in 0..12 {
        let (disk, acked) = torn(seed);
        let (found, kills) = check(&disk, seed);
        assert!(found.len() >= acked);
        sum += kills;
    }
    assert!(sum > 500);
    // Each of them was found to change nothing.
    evidence::tell("second-kills-torn", &[("whole", sum), ("wrong", 0)]);
}

#[test]
fn b4_a_second_kill_is_harmless_where_the_newest_segment_has_no_frames() {
    let mut sum = 0;
    for (with_frames, closes, expected) in
        [(false, 1, 0), (false, 3, 0), (true, 1, 2), (true, 2, 2)]
    {
        let disk = closed(with_frames, closes);
        assert_eq!(segments_of(&disk).len(), 1 + usize::from(with_frames), "the older are gone");
        let (found, kills) = check(&disk, closes as u64);
        assert_eq!(found.len(), expected);
        assert!(kills > 50);
        sum += kills;
    }
    evidence::tell("second-kills-no-frames", &[("whole", sum), ("wrong", 0)]);
}

#[test]
fn a_second_kill_is_harmless_where_the_first_group_of_a_segment_is_torn() {
    let (mut torn, mut sum) = (0, 0);
    for seed in 0..12 {
        for with_frames in [false, true] {
            let (found, kills) = check(&torn_first_group(seed, with_frames), seed);
            sum += kills;
            let older = 2 * usize::from(with_frames);
            assert!((older..=older + 3).contains(&found.len()), "the first frames of the group");
            torn += usize::from(found.len() == older);
        }
    }
    assert!(torn > 2, "{torn} of 24 segments were left without frames");
    evidence::tell("second-kills-first-group", &[("whole", sum), ("wrong", 0)]);
}

#[test]
fn torn_bytes_are_kept_beside_the_segment() {
    let kept = (0..20).filter(|seed| {
        let (disk, _) = torn(*seed);
        let machine = Machine::with(disk, small());
        let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
        let newest = *recovery.segments().last().expect("segments");
        let path = std::path::Path::new(DIR).join(newest.name().torn());
        let torn = machine.disk.read(&path).map(|bytes| bytes.len() as u64);
        assert_eq!(torn, newest.torn.map(|torn| torn.bytes));
        torn.is_some()
    });
    assert!(kept.count() > 5);
}

/// The disk of a log whose second group can be read and was never written, because its sync failed.
pub(super) fn after_failed_sync(chance: &SeededRandomness) -> ModelDisk {
    let machine = Machine::new(3);
    let mut log = machine.start_alone();
    log.append(1, 100);
    log.queue(2, 100, 1).expect("room");
    machine.disk.fail_sync(1);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    machine.disk.after(Cut::Kill, chance)
}

/// After an fsync that failed, the group can be read and was never written: what recovery shows
/// must be durable all the same.
#[test]
fn what_is_shown_after_a_failed_sync_survives_a_power_cut() {
    let chance = SeededRandomness::new(5);
    let shown = Machine::with(after_failed_sync(&chance), small());
    let recovery = shown.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    let before = frames_of(&recovery);
    assert_eq!(before.len(), 2, "the page cache has the group");
    assert_eq!(frames(shown.disk.after(Cut::PowerInOrder, &chance), None), before);
}
