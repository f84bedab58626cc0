//! Crash loops over many seeds: nothing acked is lost, nothing unacked is there in part.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use types::effect::{Randomness, SeededRandomness};

use super::oracle::{Counts, Op, Oracle};
use crate::disk::{Cut, Operation};
use crate::harness::{Machine, evidence};

pub(super) const SEEDS: u64 = 300;
const OPS: u64 = 120;

fn draw(chance: &SeededRandomness) -> Op {
    let argument = chance.next_u64() >> 8;
    match chance.next_u64() % 100 {
        0..40 => Op::Queue {
            len: (argument % if argument.is_multiple_of(13) { 3000 } else { 300 }) as usize,
            batches: 1 + (argument % 4) as u32,
        },
        40..70 => Op::Settle,
        70..76 => Op::Rotate,
        76..82 => Op::DropOldest,
        82..86 => Op::Wait(Duration::from_millis(argument % 2000)),
        86..88 => Op::FailSync(1 + argument % 5),
        88..92 => Op::DieAt(1 + argument % 40),
        92..94 => Op::Cut(Cut::Kill),
        94..97 => Op::Cut(Cut::PowerInOrder),
        _ => Op::Cut(Cut::PowerAnyOrder),
    }
}

/// As [`draw`], on a disk that has no room now and then, with more frames that are larger than a
/// segment: those need more room than was prepared.
fn draw_with_full_disks(chance: &SeededRandomness) -> Op {
    let argument = chance.next_u64() >> 8;
    match chance.next_u64() % 100 {
        0..6 => Op::Limit(Some(argument % 4000)),
        6..16 => Op::Limit(None),
        16..22 => Op::FillAtSync(1 + argument % 3),
        22..28 => Op::Queue { len: 1500 + (argument % 2000) as usize, batches: 1 },
        // A full disk is looked at again by then.
        28..38 => Op::Wait(Duration::from_secs(16)),
        _ => draw(chance),
    }
}

/// Goes through a life of many processes that `draw` draws.
fn live(seed: u64, mut oracle: Oracle, draw: fn(&SeededRandomness) -> Op) -> Counts {
    let chance = SeededRandomness::new(seed);
    for _ in 0..OPS {
        oracle.apply(draw(&chance));
    }
    oracle.apply(Op::Cut(Cut::PowerAnyOrder));
    oracle.counts
}

pub(super) fn run(seed: u64, oracle: Oracle) -> Counts {
    live(seed, oracle, draw)
}

pub(super) fn run_with_full_disks(seed: u64, oracle: Oracle) -> Counts {
    live(seed, oracle, draw_with_full_disks)
}

/// The first seed at which `run` does not end well.
pub(super) fn first_noticed(run: impl Fn(u64)) -> Option<u64> {
    (0..SEEDS).find(|seed| catch_unwind(AssertUnwindSafe(|| run(*seed))).is_err())
}

/// Each seed was found to lose nothing, so what is told of is how much there was to lose.
fn tell(name: &str, sum: &Counts) {
    let counts = [
        ("seeds", SEEDS),
        ("acked", sum.acked),
        ("crashes", sum.crashes),
        ("deaths", sum.deaths),
        ("unknown_kept", sum.unknown_kept),
        ("unknown_lost", sum.unknown_lost),
        ("refused", sum.refused),
        ("wrong", 0),
    ];
    evidence::tell(name, &counts);
}

/// What all seeds came to; the first that fails is told.
fn all_seeds(run: impl Fn(u64, Oracle) -> Counts) -> Counts {
    let mut sum = Counts::default();
    for seed in 0..SEEDS {
        let counts = catch_unwind(AssertUnwindSafe(|| run(seed, Oracle::new(seed))));
        let counts = counts.unwrap_or_else(|panic| {
            println!("seed {seed} failed");
            resume_unwind(panic)
        });
        sum.acked += counts.acked;
        sum.crashes += counts.crashes;
        sum.deaths += counts.deaths;
        sum.unknown_kept += counts.unknown_kept;
        sum.unknown_lost += counts.unknown_lost;
        sum.refused += counts.refused;
    }
    sum
}

#[test]
fn no_crash_loses_what_was_acked_or_keeps_a_part_of_what_was_not() {
    let sum = all_seeds(run);
    assert!(sum.acked > 1000 && sum.crashes > 1000 && sum.deaths > 100);
    assert!(sum.unknown_kept > 0 && sum.unknown_lost > 0, "both fates were met");
    tell("crash-loops", &sum);
}

#[test]
fn a_disk_that_is_full_in_between_changes_nothing_of_that() {
    let sum = all_seeds(run_with_full_disks);
    assert!(sum.acked > 1000 && sum.crashes > 1000 && sum.refused > 100);
    tell("crash-loops-full-disk", &sum);
}

/// The first seed at which the crash loop notices a disk that ignores `operation`.
fn noticed_at(operation: Operation) -> Option<u64> {
    first_noticed(|seed| {
        let machine = Machine::new(seed);
        machine.disk.ignore(operation);
        run(seed, Oracle::on(machine));
    })
}

#[test]
fn the_crash_loop_notices_a_log_that_forgets_to_sync() {
    for operation in [Operation::Sync, Operation::SyncDir] {
        let seed = noticed_at(operation);
        println!("a forgotten {operation} is noticed at seed {seed:?}");
        assert!(seed.is_some_and(|seed| seed < 20), "{operation}: {seed:?}");
    }
}
