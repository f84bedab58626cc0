//! Pins version 1 of the formats: these bytes were written once and must be read for ever.

use std::sync::Arc;

use types::{Epoch, Lsn, RequestId};

use crate::command::{Action, AddFile, Command};
use crate::config::Limits;
use crate::conformance::{
    Columns, add_file, change_columns, create, database, file, log, open_log, partition, table,
};
use crate::file::{FileKind, NewFile};
use crate::record::{self, Record};
use crate::snapshot::Snapshot;
use crate::snapshot_file;
use crate::stored::StoredSnapshot;

const RECORD: &[u8] = include_bytes!("../golden/record-1.jsonl");
const SNAPSHOT: &[u8] = include_bytes!("../golden/snapshot-1.json");

/// Every action, and names that JSON has to escape.
fn commands() -> Vec<Command> {
    let quarantined = NewFile { kind: FileKind::Quarantine, ..file(2, 5, 9) };
    let other_day = AddFile { partition: partition(19_000), ..add_file(file(3, 1, 9)) };
    let columns = Columns { tags: &["a \"quoted\" tag", "größe"], fields: &["new\u{2028}line"] };
    let actions = [
        create(database(1), &[table(1), table(2), table(u64::MAX)]),
        open_log(1),
        Action::RecordLsn { log: log(1), epoch: Epoch::new(1), lsn: Lsn::new(100) },
        Action::AddFile(add_file(file(1, 1, 4))),
        Action::AddFile(add_file(quarantined)),
        Action::AddFile(other_day),
        change_columns(database(1), &[(table(1), 1, columns)]),
        Action::DropTable { table: table(2).id },
        create(database(2), &[table(3)]),
        Action::DropDatabase { database: database(2).id },
    ];
    let command = |(n, action)| Command { request: RequestId::from_random(0x0e90, n), action };
    (0..).zip(actions).map(command).collect()
}

fn root() -> Snapshot {
    let mut root = Snapshot::default();
    for command in commands() {
        root.apply(&command, &Limits::default()).expect("it is in order");
    }
    root
}

fn stored() -> StoredSnapshot {
    StoredSnapshot::new(log(9), Epoch::new(3), &root())
}

#[test]
fn a_record_of_version_1_is_read_and_written_as_it_was() {
    let text = RECORD.strip_suffix(b"\n").expect("the file ends with a line break");
    assert_eq!(record::decode(text).expect("decodes"), commands());
    let mut written = Record::default();
    for command in commands() {
        written.push(&record::encode(&command).expect("encodes"));
    }
    assert_eq!(String::from_utf8_lossy(&written.into_body()), String::from_utf8_lossy(text));
}

#[test]
fn a_snapshot_of_version_1_is_read_and_written_as_it_was() {
    let read = snapshot_file::decode(SNAPSHOT).map_err(|(_, why)| why).expect("decodes");
    assert_eq!((read.log, read.epoch, read.version), (log(9), Epoch::new(3), root().version()));
    assert_eq!(Arc::new(read.into_root().expect("it agrees with itself")), Arc::new(root()));
    let written = snapshot_file::encode(&stored()).expect("encodes");
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(SNAPSHOT));
}

#[test]
fn every_damaged_byte_of_a_snapshot_is_found() {
    for at in 0..SNAPSHOT.len() {
        let mut damaged = SNAPSHOT.to_vec();
        damaged[at] ^= 1;
        if let Ok(read) = snapshot_file::decode(&damaged) {
            // A flipped bit in the header's names makes them unknown, and none of them is optional.
            panic!("byte {at} was changed, and version {} was read", read.version);
        }
    }
    for len in 0..SNAPSHOT.len() {
        assert!(snapshot_file::decode(&SNAPSHOT[..len]).is_err(), "cut off at {len}");
    }
}
