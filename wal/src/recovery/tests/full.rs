//! Recovery on a full disk: into the spare, into room that the ballast makes, or not at all.

use std::path::Path;

use types::effect::SeededRandomness;
use types::{ErrorKind, Lsn};

use crate::config::Config;
use crate::disk::Cut;
use crate::harness::{DIR, Machine, frames_of, small};
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

#[test]
fn without_either_the_start_is_refused_and_nothing_is_lost() {
    let machine = full(small(), false);
    let refusal = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect_err("no room");
    assert_eq!(refusal.kind(), ErrorKind::Fatal);
    machine.disk.set_capacity(None);
    check(&machine);
}
