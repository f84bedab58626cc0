//! The commands on logs that the `wal` crate has written.

use std::num::NonZeroU32;
use std::sync::Arc;

use types::batch::TagSetBuilder;
use types::effect::{ManualClock, SeededRandomness, SystemThreads};
use types::write::codec::encode_body;
use types::{
    BatchBuilder, BatchId, DatabaseId, DatabaseName, DatabaseRef, Epoch, Lsn, PartitionBatch,
    PartitionKey, TableId, TableName, TableRef,
};
use wal::{Append, Body, CommitObserver, Config, Deps, ExitProcess, Group, Recovery, Vouched};

use super::*;

struct Nobody;

impl CommitObserver<()> for Nobody {
    fn committed(&mut self, _: Group<()>) {}
    fn refused(&mut self, (): (), error: &wal::Error) {
        panic!("a temporary directory has room: {error}");
    }
    fn sealed(&mut self, _: &wal::SealedSegment) {}
}

/// Writes a log with one frame for each of `bodies`, each with as many LSNs as it says.
fn write_log(dir: &Path, bodies: Vec<(u32, Vec<u8>)>) {
    let config = Config { segment_size: 1 << 20, ..Config::default() };
    let deps = Deps {
        disk: Arc::new(RealDisk),
        clock: Arc::new(ManualClock::default()),
        randomness: Arc::new(SeededRandomness::new(1)),
        threads: Arc::new(SystemThreads),
        fatal: Arc::new(ExitProcess),
    };
    let vouched = Vouched::by_snapshot(Lsn::ZERO);
    let recovery = Recovery::open(dir, config.clone(), deps, vouched).expect("opens");
    let log = recovery.start(Epoch::new(1), Nobody).expect("starts");
    for (lsns, raw) in bodies {
        let body = Body::encode(raw, &config).expect("is small");
        let space = log.reserve(body.frame_len()).expect("has room");
        let batches = NonZeroU32::new(lsns).expect("is not zero");
        let append = Append { body, batches, batch_id: BatchId::default(), payload: (), space };
        assert!(log.append(append).is_ok(), "is open");
    }
    log.close().expect("closes");
}

/// A body with two batches of a row each.
fn two_batches() -> (u32, Vec<u8>) {
    let name = DatabaseName::new("nyc").expect("a good name");
    let database = DatabaseRef { id: DatabaseId::new(1), name };
    let name = TableName::new("flights").expect("a good name");
    let table = Arc::new(TableRef { id: TableId::new(2), name });
    let batch = |day| {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        let tags = tags.build(&mut [("carrier", "UA")]);
        builder.push_row(tags, day, std::iter::empty()).expect("no types");
        let (table, key) = (Arc::clone(&table), PartitionKey::of_time(day));
        PartitionBatch::new(table, key, Arc::new(builder.finish()))
    };
    (2, encode_body(&database, &[batch(0), batch(86_400_000_000_000)]))
}

fn commands() -> (u32, Vec<u8>) {
    (2, b"{\"format\":1}\n{\"drop\":1}\n{\"drop\":2}".to_vec())
}

fn text(run: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) -> String {
    let mut out = Vec::new();
    run(&mut out).expect("is whole");
    String::from_utf8(out).expect("is text")
}

fn the_segment(dir: &Path) -> PathBuf {
    let report = survey(dir).expect("is whole");
    dir.join(report.segments[0].name().to_string())
}

#[test]
fn segments_and_what_they_hold_are_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    write_log(dir, vec![two_batches(), commands()]);
    let listed = text(|out| ls::run(dir, out));
    assert!(listed.contains(": whole\nSEGMENT"), "{listed}");
    assert!(listed.contains("  1..=4"), "{listed}");
    let shown = text(|out| dump::run(dir, None, out));
    let rows: Vec<&str> = shown.lines().skip(2).collect();
    assert!(rows[0].ends_with("1  nyc.flights 1970-01-01: 1 rows of 1 series"), "{shown}");
    assert!(rows[1].ends_with("2  nyc.flights 1970-01-02: 1 rows of 1 series"), "{shown}");
    assert!(rows[3].ends_with("4  {\"drop\":2}"), "{shown}");
    assert!(rows[4].ends_with("seal"), "{shown}");
    let verdict = text(|out| verify::run(dir, out));
    assert!(verdict.starts_with("1 segments, 3 frames, 4 entries, "), "{verdict}");
    assert!(verdict.ends_with(": whole\n"), "{verdict}");
}

#[test]
fn what_was_kept_of_a_torn_tail_is_listed() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    write_log(dir, vec![commands()]);
    let kept = "3-00000000000000000001.wal.torn";
    std::fs::write(dir.join(kept), [7; 10]).expect("is written");
    let listed = text(|out| ls::run(dir, out));
    assert!(listed.ends_with(&format!("kept of a torn tail: 10 B in {kept}\n")), "{listed}");
}

#[test]
fn a_flipped_bit_is_corruption_with_file_and_offset() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    write_log(dir, vec![two_batches(), two_batches()]);
    let path = the_segment(dir);
    let mut bytes = std::fs::read(&path).expect("is there");
    // Within the first frame: the second one vouches for it.
    let frames =
        wal::inspect::frames(&RealDisk, dir, survey(dir).expect("is whole").segments[0].seq);
    let first = frames.expect("is whole").next().expect("a frame").expect("is whole");
    let at = usize::try_from(first.offset + first.bytes - 1).expect("is small");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("is written");
    let error = verify::run(dir, &mut Vec::new()).expect_err("is corrupt");
    assert_eq!(error.code(), Code::Corrupt);
    let told = error.to_string();
    assert!(told.contains(&path.display().to_string()), "{told}");
    assert!(told.contains(&format!("offset {}", first.offset)), "{told}");
    assert_eq!(ls::run(dir, &mut Vec::new()).expect_err("is corrupt").code(), Code::Corrupt);
}

#[test]
fn a_body_that_nobody_wrote_is_corruption() {
    let dir = tempfile::tempdir().expect("a directory");
    for body in [b"\xffnonsense".to_vec(), b"{\"format\":1}\n{".to_vec(), commands().1] {
        let dir = dir.path().join(body.len().to_string());
        write_log(&dir, vec![(1, body)]);
        let error = verify::run(&dir, &mut Vec::new()).expect_err("cannot be read");
        assert_eq!(error.code(), Code::Corrupt, "{error}");
    }
}

#[test]
fn a_segment_that_is_dropped_meanwhile_is_skipped() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    write_log(dir, vec![two_batches()]);
    let seen = survey(dir).expect("is whole");
    assert_eq!(verify::check(dir, &seen).expect("is whole").frames, 2);
    std::fs::remove_file(the_segment(dir)).expect("is there");
    assert_eq!(verify::check(dir, &seen).expect("is skipped").frames, 0);
    assert_eq!(text(|out| dump::dump_all(dir, &seen, out)), "");
    let asked_for = dump::run(dir, Some(seen.segments[0].seq), &mut Vec::new());
    assert_eq!(asked_for.expect_err("is gone").code(), Code::Failure);
    let source = io::Error::from(io::ErrorKind::NotFound);
    let operation = wal::disk::Operation::Open;
    assert!(is_gone(&wal::Error::Io { operation, path: dir.to_owned(), source }));
}

#[test]
fn a_directory_without_a_log_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = verify::run(dir.path(), &mut Vec::new()).expect_err("is empty");
    assert_eq!(error.code(), Code::Failure);
}
