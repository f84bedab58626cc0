//! A whole log on one thread: whoever waits for it makes its steps, so that a seed decides all.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use types::effect::{Disk, LockMode, ManualClock, SeededRandomness, Turns};
use types::{BatchId, Epoch, Lsn, LsnRange};
use wal::disk::ModelDisk;
use wal::{
    Append, Body, CommitObserver, Config, Deps, Error, Fatal, Group, LogHandle, Recovery,
    SealedSegment, Vouched,
};

const DIR: &str = "/data/wal";

#[derive(Debug)]
struct Panics;

impl Fatal for Panics {
    fn end(&self, error: &Error) -> ! {
        panic!("the log ended: {error}");
    }
}

/// Answers each append with its LSNs.
struct Answers;

impl CommitObserver<Sender<LsnRange>> for Answers {
    fn committed(&mut self, group: Group<Sender<LsnRange>>) {
        for frame in group.frames {
            frame.payload.send(frame.lsns).expect("the writer waits");
        }
    }

    fn refused(&mut self, _payload: Sender<LsnRange>, error: &Error) {
        panic!("there is room: {error}");
    }

    fn sealed(&mut self, _segment: &SealedSegment) {}
}

fn config() -> Config {
    Config { segment_size: 4 << 10, group_bytes_max: 1, ..Config::default() }
}

fn open(disk: &ModelDisk, turns: &Turns) -> Result<Recovery, Error> {
    let deps = Deps {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(ManualClock::default()),
        randomness: Arc::new(SeededRandomness::new(1)),
        threads: Arc::new(turns.clone()),
        fatal: Arc::new(Panics),
    };
    Recovery::open(DIR, config(), deps, Vouched::by_snapshot(Lsn::ZERO))
}

fn start(disk: &ModelDisk, turns: &Turns) -> LogHandle<Sender<LsnRange>> {
    let recovery = open(disk, turns).expect("it recovers");
    let epoch = recovery.epoch().next();
    recovery.start(epoch, Answers).expect("it starts")
}

/// Queues a frame of `len` bytes.
fn append(log: &LogHandle<Sender<LsnRange>>, len: usize) -> Receiver<LsnRange> {
    let body = Body::encode(vec![1; len], &config()).expect("it is small");
    let space = log.reserve(body.frame_len()).expect("there is room");
    let (payload, answer) = channel();
    let (batches, batch_id) = (NonZeroU32::MIN, BatchId::default());
    let append = Append { body, batches, batch_id, payload, space };
    log.append(append).map_err(|(error, _)| error).expect("the log is open");
    answer
}

fn lsn(number: u64) -> LsnRange {
    LsnRange::of(Lsn::new(number))
}

#[test]
fn an_append_is_written_when_the_log_has_its_turn() {
    let turns = Turns::default();
    let log = start(&ModelDisk::new(1), &turns);
    let answer = append(&log, 10);
    assert_eq!(answer.try_recv(), Err(TryRecvError::Empty), "nobody has made a step");
    turns.settle();
    assert_eq!(answer.try_recv(), Ok(lsn(1)));
    assert_eq!(log.state().durable_lsn, Lsn::new(1));
}

#[test]
fn whoever_rotates_makes_the_steps_of_the_log() {
    let turns = Turns::default();
    let log = start(&ModelDisk::new(2), &turns);
    for number in 1..=5 {
        let answer = append(&log, 10);
        let sealed = log.rotate().expect("the log is open").expect("it has a frame");
        assert_eq!(sealed.lsns, Some(lsn(number)), "behind what was queued before");
        assert_eq!(answer.try_recv(), Ok(lsn(number)));
    }
    assert_eq!(log.rotate().expect("the log is open"), None);
    assert_eq!(log.state().sealed.len(), 5);
}

#[test]
fn a_spare_that_nobody_has_begun_is_written_by_the_one_that_needs_it() {
    let turns = Turns::default();
    let disk = ModelDisk::new(3);
    let log = start(&disk, &turns);
    assert_eq!(turns.names(), ["wal-spare", "wal"]);
    // Each fills a segment, and needs the spare before the spare's thread has had a turn.
    let answers: Vec<_> = (0..4).map(|_| append(&log, 3 << 10)).collect();
    for (number, answer) in (1..).zip(answers) {
        assert!(turns.step("wal"));
        assert_eq!(answer.try_recv(), Ok(lsn(number)));
    }
    assert_eq!(log.state().sealed.len(), 3);
    turns.settle();
    assert_eq!(turns.names(), ["wal"], "the threads of spares have ended");
    log.close().expect("it closes");
    assert_eq!(open(&disk, &turns).expect("it recovers").next_lsn(), Lsn::new(5));
}

#[test]
fn a_close_writes_what_is_queued_and_gives_the_directory_back() {
    let turns = Turns::default();
    let disk = ModelDisk::new(4);
    let log = start(&disk, &turns);
    let answers = [append(&log, 10), append(&log, 20)];
    let locked = |disk: &ModelDisk| disk.lock_dir(Path::new(DIR), LockMode::Exclusive).is_err();
    assert!(locked(&disk));
    log.close().expect("it closes");
    assert_eq!(answers.map(|answer| answer.try_recv()), [Ok(lsn(1)), Ok(lsn(2))]);
    assert!(!locked(&disk), "the directory is free");
    log.close().expect("closed before");
    assert!(matches!(log.rotate(), Err(Error::Closed)));
    turns.settle();
    assert_eq!(turns.names(), Vec::<&str>::new());
    let recovery = open(&disk, &turns).expect("it recovers");
    assert_eq!((recovery.next_lsn(), recovery.epoch()), (Lsn::new(3), Epoch::new(1)));
}

#[test]
fn a_closed_log_removes_nothing_from_a_directory_that_it_gave_back() {
    let turns = Turns::default();
    let disk = ModelDisk::new(6);
    let log = start(&disk, &turns);
    let _answer = append(&log, 10);
    let sealed = log.rotate().expect("the log is open").expect("it has a frame");
    log.close().expect("it closes");
    let recovery = open(&disk, &turns).expect("the directory is free");
    assert!(matches!(log.drop_through(sealed.seq), Err(Error::Closed)));
    assert_eq!(recovery.frames(sealed.seq).expect("the segment").count(), 1);
}

#[test]
fn a_log_whose_handles_are_gone_ends_at_its_next_turn() {
    let turns = Turns::default();
    let disk = ModelDisk::new(5);
    let log = start(&disk, &turns);
    let answer = append(&log, 10);
    drop(log);
    assert!(matches!(open(&disk, &turns), Err(Error::Locked { .. })));
    turns.settle();
    assert_eq!(turns.names(), Vec::<&str>::new());
    assert_eq!(answer.try_recv(), Ok(lsn(1)));
    open(&disk, &turns).expect("the directory is free");
}
