//! Logs that must not be opened, and that nothing on disk is changed by the attempt.

use types::{Epoch, ErrorKind, LogId, Lsn};

use crate::error::Error;
use crate::harness::{DIR, Machine};
use crate::vouched::Vouched;

/// A closed log of one segment under epoch 1.
fn machine() -> Machine {
    let machine = Machine::new(1);
    let mut log = machine.start_alone();
    log.append(1, 100);
    log.append(2, 100);
    log.close();
    machine
}

fn check(machine: &Machine, vouched: Vouched) -> Error {
    let before = machine.segments();
    let refusal = machine.recover(vouched).expect_err("it must not be opened");
    assert_eq!(machine.segments(), before, "nothing was changed");
    refusal
}

#[test]
fn corruption_names_file_and_offset() {
    let machine = machine();
    let (name, mut bytes) = machine.segments()[0].clone();
    bytes[170] ^= 1;
    let path = std::path::Path::new(DIR).join(name.to_string());
    machine.disk.plant(&path, &bytes);
    let refusal = check(&machine, Vouched::by_snapshot(Lsn::ZERO));
    assert_eq!(refusal.kind(), ErrorKind::Corrupt);
    let text = refusal.to_string();
    assert!(text.contains("1-00000000000000000001.wal at offset 64: the checksum"), "{text}");
}

#[test]
fn an_epoch_that_the_catalog_does_not_know_is_refused() {
    let vouched = Vouched { log: None, epoch: Epoch::ZERO, lsn: Lsn::ZERO };
    assert!(matches!(check(&machine(), vouched), Error::UnknownEpoch { .. }));
}

#[test]
fn another_log_than_the_catalogs_is_refused() {
    let log = Some(LogId::from_bytes([9; 16]));
    let vouched = Vouched { log, epoch: Epoch::new(1), lsn: Lsn::ZERO };
    assert!(matches!(check(&machine(), vouched), Error::AnotherLog { .. }));
}

#[test]
fn a_directory_has_one_owner() {
    let machine = machine();
    let owner = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("the first");
    let second = machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect_err("taken");
    assert!(matches!(second, Error::Locked { .. }));
    drop(owner);
    assert!(machine.recover(Vouched::by_snapshot(Lsn::ZERO)).is_ok());
}

#[test]
fn without_segments_the_catalog_knows_the_next_lsn_and_the_log() {
    let machine = Machine::new(3);
    let log = LogId::from_bytes([4; 16]);
    let vouched = Vouched { log: Some(log), epoch: Epoch::new(5), lsn: Lsn::new(70) };
    let recovery = machine.recover(vouched).expect("it opens");
    assert_eq!((recovery.log_id(), recovery.epoch()), (log, Epoch::new(5)));
    assert_eq!(recovery.next_lsn(), Lsn::new(71));
}
