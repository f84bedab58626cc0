//! Recovery on a full disk: into the spare, into room that the ballast makes, or where it stands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use types::effect::{Randomness, SeededRandomness};
use types::{ErrorKind, Lsn};

use super::second_kill::after_failed_sync;
use crate::config::Config;
use crate::disk::{Cut, Errno, Operation};
use crate::format::FRAME_HEADER_LEN;
use crate::harness::{DIR, Machine, Stepped, frames_of, small};
use crate::segment::TornTails;
use crate::vouched::Vouched;

/// A log that was killed, on a disk that is full to the last byte.
fn full(config: Config, spare: bool) -> Machine {
    let machine = Machine { config, ..Machine::new(2) };
    let mut log = machine.start_alone();
    for id in 0..3 {
        log.append(id, 200);
    }
    drop(log);
    if spare {
        machine.disk.plant(&Path::new(DIR).join("spare.tmp"), &[0; 2048]);
    }
    let disk = machine.disk.after(Cut::Kill, &SeededRandomness::new(1));
    disk.set_capacity(Some(disk.used()));
    Machine { disk, ..machine }
}

fn check(machine: &Machine) {
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    assert_eq!(frames_of(&recovery).len(), 3);
}

#[test]
fn the_spare_takes_the_rewritten_segment() {
    let machine = full(small(), true);
    check(&machine);
    assert_eq!(machine.disk.read(&Path::new(DIR).join("spare.tmp")), None);
}

#[test]
fn the_ballast_makes_room_for_it() {
    let machine = full(Config { ballast_size: 4096, ..small() }, false);
    check(&machine);
    assert_eq!(machine.disk.read(&Path::new(DIR).join("ballast")), None);
}

/// What the next process finds on a disk that has no byte to spare.
fn ids_on_full(machine: &Machine, cut: Cut, chance: &SeededRandomness) -> Vec<u64> {
    let disk = machine.disk.after(cut, chance);
    disk.set_capacity(Some(disk.used()));
    let machine = Machine::with(disk, machine.config.clone());
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    frames_of(&recovery).into_iter().map(|(_, id)| id).collect()
}

#[test]
fn without_either_it_is_made_durable_where_it_stands() {
    let machine = full(small(), false);
    check(&machine);
    assert_eq!(machine.disk.read(&Path::new(DIR).join("rewrite.tmp")), None);
    let len = |machine: &Machine| machine.segments().pop().expect("a segment").1.len();
    // The zeros behind the frames made room for the seal; a second time there are none.
    let sealed = len(&machine);
    assert!(sealed < 2048);
    machine.disk.set_capacity(Some(machine.disk.used()));
    check(&machine);
    assert_eq!(len(&machine), sealed);
}

/// A running log that finds no room for a seal leaves such a segment, too.
#[test]
fn where_not_even_a_seal_fits_the_segment_ends_without_one() {
    let machine = full(small(), false);
    let (name, bytes) = machine.segments().pop().expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    machine.disk.plant(&Path::new(DIR).join(name.to_string()), &bytes[..end]);
    machine.disk.set_capacity(Some(machine.disk.used()));
    check(&machine);
    assert_eq!(machine.segments().pop().expect("a segment").1.len(), end);
    machine.disk.set_capacity(None);
    let mut log = machine.start_alone();
    log.append(3, 100);
    let ids = ids_on_full(&machine, Cut::PowerAnyOrder, &SeededRandomness::new(3));
    assert_eq!(ids, [0, 1, 2, 3]);
}

/// A log that ends without a seal in front of a begun segment, on a disk that has room for the seal
/// and nothing else; and where the frames end.
fn unsealed_before_a_begun_segment(len: usize) -> (Machine, usize) {
    let machine = Machine::new(2);
    let mut log = machine.start_alone();
    for id in 0..3 {
        log.append(id, len);
    }
    drop(log);
    let (name, bytes) = machine.segments().pop().expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    machine.disk.plant(&Path::new(DIR).join(name.to_string()), &bytes[..end]);
    machine.disk.set_capacity(Some(machine.disk.used()));
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    machine.disk.set_capacity(None);
    let epoch = recovery.epoch().next();
    drop(Stepped::start(recovery, epoch).expect("it starts"));
    let lens: Vec<_> = machine.segments().iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lens, [end, 2048], "no seal, and a segment without frames behind it");
    (machine, end)
}

#[test]
fn a_kill_while_the_segment_before_a_begun_one_is_made_durable_is_harmless() {
    let mut torn_seals = 0;
    for len in [260, 280, 290, 300, 310, 320, 340] {
        let (machine, end) = unsealed_before_a_begun_segment(len);
        // A seal within one sector is there as a whole or not at all.
        torn_seals += u64::from(end / 512 < (end + FRAME_HEADER_LEN - 1) / 512);
        let chance = SeededRandomness::new(len as u64);
        for call in 1.. {
            let disk = machine.disk.after(Cut::Kill, &SeededRandomness::new(call));
            disk.set_capacity(Some(disk.used() + FRAME_HEADER_LEN as u64));
            disk.die_at_call(call);
            let dead = Machine::with(disk, small());
            let ended = dead.recover(Vouched::by_snapshot(Lsn::ZERO)).is_ok();
            let cuts = [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder];
            for cut in cuts.into_iter().cycle().take(12) {
                let again = SeededRandomness::new(chance.next_u64());
                assert_eq!(ids_on_full(&dead, cut, &again), [0, 1, 2], "call {call}, {cut:?}");
            }
            if ended {
                break;
            }
        }
    }
    assert!(torn_seals > 0, "no seal goes over two sectors");
}

/// The group can be read, was never written, and no sync would write it.
#[test]
fn what_is_shown_where_it_stands_after_a_failed_sync_survives_a_power_cut() {
    let chance = SeededRandomness::new(5);
    let disk = after_failed_sync(&chance);
    disk.set_capacity(Some(disk.used()));
    let shown = Machine::with(disk, small());
    check_ids(&shown, &[1, 2]);
    for _ in 0..20 {
        assert_eq!(ids_on_full(&shown, Cut::PowerAnyOrder, &chance), [1, 2]);
    }
}

fn check_ids(machine: &Machine, expected: &[u64]) {
    let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
    let ids: Vec<_> = frames_of(&recovery).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, expected);
}

/// A log whose last group a power cut tore, on a disk with nothing else: and how many were acked.
fn torn(seed: u64) -> (Machine, usize) {
    let machine = Machine::new(seed);
    let mut log = machine.start_alone();
    for id in 0..2 {
        log.append(id, 300);
    }
    // More than a sector, so that some of it can be there without the rest.
    for id in 2..4 {
        log.queue(id, 300, 1).expect("room");
    }
    // The group is written, and its sync never returns.
    machine.disk.die_at_call(2);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    let acked = log.committed().len();
    let disk = machine.disk.after(Cut::PowerAnyOrder, &SeededRandomness::new(seed));
    (Machine::with(disk, small()), acked)
}

#[test]
fn a_second_kill_at_any_call_is_harmless_where_the_segment_stands() {
    let mut kills = 0;
    for seed in 0..12 {
        let (machine, acked) = torn(seed);
        let chance = SeededRandomness::new(seed ^ 0xabcd);
        let expected = ids_on_full(&machine, Cut::Kill, &chance);
        assert!(expected.len() >= acked);
        for call in 1.. {
            let disk = machine.disk.after(Cut::Kill, &SeededRandomness::new(call));
            disk.set_capacity(Some(disk.used()));
            disk.die_at_call(call);
            let dead = Machine::with(disk, small());
            let ended = dead.recover(Vouched::by_snapshot(Lsn::ZERO)).is_ok();
            for cut in [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder, Cut::PowerAnyOrder] {
                let again = SeededRandomness::new(chance.next_u64());
                assert_eq!(ids_on_full(&dead, cut, &again), expected, "call {call}, {cut:?}");
                kills += 1;
            }
            if ended {
                break;
            }
        }
    }
    println!("second kills on a full disk: {kills}");
    assert!(kills > 500);
}

/// Loki's #15235: what would free the disk could not start on it.
#[test]
fn b8_a_full_disk_does_not_keep_a_log_from_starting() {
    for ballast_size in [0, 4096] {
        for spare in [false, true] {
            let machine = full(Config { ballast_size, ..small() }, spare);
            // As often as a supervisor may try.
            for _ in 0..5 {
                let log = machine.start_alone();
                let state = log.running.state();
                assert_eq!(state.durable_lsn, Lsn::new(3));
                let oldest = state.sealed.first().expect("it has frames").seq;
                let frames = log.running.segments().frames(oldest).expect("it can be read");
                assert_eq!(frames.count(), 3, "reads go on");
                drop(log);
                machine.disk.set_capacity(Some(machine.disk.used()));
            }
            machine.disk.set_capacity(None);
            let mut log = machine.start_alone();
            log.append(3, 100);
            drop(log);
            check_ids(&machine, &[0, 1, 2, 3]);
        }
    }
}

/// btrfs and ZFS may want room to remove a file.
#[test]
fn a_full_disk_that_removes_nothing_does_not_keep_a_log_from_starting() {
    for ballast_size in [0, 4096] {
        for spare in [false, true] {
            for nth in 1..=8 {
                let machine = full(Config { ballast_size, ..small() }, spare);
                let dir = Path::new(DIR);
                machine.disk.plant(&dir.join("rewrite.tmp"), &[1; 100]);
                machine.disk.set_capacity(Some(machine.disk.used()));
                machine.disk.fail_operation(Operation::Remove, nth, Errno::NoSpace);
                let log = machine.start_alone();
                let state = log.running.state();
                assert_eq!(state.durable_lsn, Lsn::new(3), "removal {nth}");
                assert!(machine.fatal.last_words.lock().is_empty(), "removal {nth}");
                let disk = machine.disk.after(Cut::Kill, &SeededRandomness::new(nth));
                let machine = Machine::with(disk, small());
                check(&machine);
                assert_eq!(machine.disk.read(&dir.join("rewrite.tmp")), None);
            }
        }
    }
}

#[test]
fn torn_bytes_that_cannot_be_kept_keep_no_log_from_starting() {
    let mut kept = 0;
    for seed in 0..200 {
        let (machine, acked) = torn(seed);
        for (name, _) in machine.segments() {
            machine.disk.plant(&Path::new(DIR).join(name.torn()), b"of a recovery before");
        }
        // The first is that of a rewritten segment which nobody wrote.
        machine.disk.fail_operation(Operation::Remove, 2, Errno::NoSpace);
        let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
        assert!(frames_of(&recovery).len() >= acked);
        kept += recovery.torn_tails().count;
    }
    assert!(kept > 3, "{kept}");
}

#[test]
fn a_disk_that_fails_refuses_the_start_and_nothing_is_lost() {
    for operation in [Operation::Write, Operation::Sync] {
        let machine = full(small(), false);
        // The first that is not for want of room.
        let nth = if operation == Operation::Write { 3 } else { 1 };
        machine.disk.fail_operation(operation, nth, Errno::Io);
        let refusal = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect_err("it fails");
        assert_eq!(refusal.kind(), ErrorKind::Fatal);
        check(&machine);
    }
}

#[test]
fn torn_tails_are_counted() {
    let mut counted = 0;
    for seed in 0..200 {
        let (machine, _) = torn(seed);
        let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
        let torn = recovery.torn_tails();
        let bytes: u64 = recovery.segments().iter().filter_map(|s| Some(s.torn?.bytes)).sum();
        assert_eq!((torn.count, torn.bytes), (u64::from(bytes > 0), bytes));
        counted += torn.count;
        drop(recovery);
        let recovery = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers");
        assert_eq!(recovery.torn_tails(), TornTails::default(), "each is counted once");
    }
    assert!(counted > 3, "{counted}");
}
