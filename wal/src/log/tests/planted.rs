//! Do the crash loops notice the mistakes that they are there to find?
//!
//! Each test plants one in its process, for good. So each needs a process of its own, which
//! `cargo nextest run` gives to every test; under `cargo test` they would spoil each other.

use std::path::Path;

use types::Lsn;
use types::effect::{Randomness, SeededRandomness};
use types::fault::{self, Bug, Switch};

use super::crash::{SEEDS, first_noticed, run, run_with_full_disks};
use super::oracle::Oracle;
use crate::disk::Cut;
use crate::error::Error;
use crate::harness::{DIR, Machine, small};
use crate::vouched::Vouched;

/// Plants `bug` and wants `life` to end badly at some seed.
fn check(bug: Bug, life: impl Fn(u64)) {
    fault::set(Switch::Plant(bug)).expect("this test has a process of its own");
    let seed = first_noticed(life);
    let seed = seed.unwrap_or_else(|| panic!("{} passes {SEEDS} seeds", bug.name()));
    println!("planted {} caught at seed {seed}", bug.name());
}

fn crash_loop(seed: u64) {
    run(seed, Oracle::new(seed));
}

fn crash_loop_with_full_disks(seed: u64) {
    run_with_full_disks(seed, Oracle::new(seed));
}

/// A bit of an acked frame flips while others stand behind it, acked too: that is refused.
fn rot(seed: u64) {
    let chance = SeededRandomness::new(seed);
    let draw = |below: u64| chance.next_u64() % below;
    let machine = Machine::new(seed);
    let mut log = machine.start_alone();
    for id in 0..3 {
        log.append(id, 100 + draw(150) as usize);
    }
    let vouched_for = log.running.state().open.expect("an open segment").bytes;
    log.append(3, 100);
    drop(log);
    let machine = Machine::with(machine.disk.after(Cut::Kill, &chance), small());
    let (name, mut bytes) = machine.segments().pop().expect("a segment");
    let bit = 64 * 8 + draw((vouched_for - 64) * 8) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
    machine.disk.plant(&Path::new(DIR).join(name.to_string()), &bytes);
    let recovered = machine.recover(Vouched::by_snapshot(Lsn::ZERO));
    let refusal = recovered.expect_err("an acked frame is damaged");
    assert!(matches!(refusal, Error::Corrupt { .. }), "bit {bit}: {refusal}");
}

#[test]
fn b3_rot_in_front_of_an_acked_frame_is_refused_at_every_seed() {
    assert_eq!(first_noticed(rot), None);
}

#[test]
fn an_ack_before_the_fsync_is_caught() {
    check(Bug::AckBeforeFsync, crash_loop);
}

#[test]
fn a_publication_before_the_fsync_is_caught() {
    check(Bug::PublishBeforeFsync, crash_loop);
}

#[test]
fn a_directory_without_its_fsync_is_caught() {
    check(Bug::NoDirectoryFsync, crash_loop);
}

#[test]
fn an_append_after_a_partial_write_is_caught() {
    check(Bug::AppendAfterPartialWrite, crash_loop_with_full_disks);
}

#[test]
fn a_body_without_its_checksum_is_caught() {
    check(Bug::IgnoreChecksum, crash_loop);
}

#[test]
fn a_number_that_is_used_twice_is_caught() {
    check(Bug::ReuseSegmentId, crash_loop);
}

#[test]
fn a_torn_middle_that_passes_for_the_end_is_caught() {
    check(Bug::TornMiddleAsEnd, rot);
}
