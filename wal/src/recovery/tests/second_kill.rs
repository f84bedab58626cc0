//! A second crash at every disk call of recovery and of the start behind it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use types::Lsn;
use types::effect::{Randomness, SeededRandomness};

use crate::disk::{Cut, ModelDisk};
use crate::harness::{Machine, frames_of, small};
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

/// Recovers and starts, dying at `call`; what is on disk then, and whether it came to an end.
fn killed_at(disk: &ModelDisk, call: u64) -> (ModelDisk, bool) {
    let disk = disk.after(Cut::Kill, &SeededRandomness::new(call));
    disk.die_at_call(call);
    let machine = Machine::with(disk.clone(), small());
    let started = machine.start(Vouched::by_snapshot(Lsn::ZERO)).is_ok();
    (disk, started)
}

fn frames(disk: ModelDisk) -> Vec<(types::LsnRange, u64)> {
    let machine = Machine::with(disk, small());
    frames_of(&machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("a second kill is harmless"))
}

#[test]
fn a_second_kill_at_any_call_of_recovery_is_harmless() {
    let mut kills = 0;
    for seed in 0..12 {
        let (disk, acked) = torn(seed);
        let chance = SeededRandomness::new(seed ^ 0xabcd);
        let expected = frames(disk.after(Cut::Kill, &chance));
        assert!(expected.len() >= acked);
        for call in 1.. {
            let (dead, ended) = killed_at(&disk, call);
            for cut in [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder, Cut::PowerAnyOrder] {
                let again = SeededRandomness::new(chance.next_u64());
                assert_eq!(frames(dead.after(cut, &again)), expected, "call {call}, {cut:?}");
                kills += 1;
            }
            if ended {
                break;
            }
        }
    }
    println!("second kills: {kills}");
    assert!(kills > 500);
}

#[test]
fn torn_bytes_are_kept_beside_the_segment() {
    let kept = (0..20).filter(|seed| {
        let (disk, _) = torn(*seed);
        let machine = Machine::with(disk, small());
        let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
        let newest = *recovery.segments().last().expect("segments");
        let path = std::path::Path::new(crate::harness::DIR).join(newest.name().torn());
        let torn = machine.disk.read(&path).map(|bytes| bytes.len() as u64);
        assert_eq!(torn, newest.torn.map(|torn| torn.bytes));
        torn.is_some()
    });
    assert!(kept.count() > 5);
}

/// After an fsync that failed, the group can be read and was never written: what recovery shows
/// must be durable all the same.
#[test]
fn what_is_shown_after_a_failed_sync_survives_a_power_cut() {
    let machine = Machine::new(3);
    let mut log = machine.start_alone();
    log.append(1, 100);
    log.queue(2, 100, 1).expect("room");
    machine.disk.fail_sync(1);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    let chance = SeededRandomness::new(5);
    let shown = Machine::with(machine.disk.after(Cut::Kill, &chance), small());
    let recovery = shown.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    let before = frames_of(&recovery);
    assert_eq!(before.len(), 2, "the page cache has the group");
    assert_eq!(frames(shown.disk.after(Cut::PowerInOrder, &chance)), before);
}
