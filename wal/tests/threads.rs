//! Many threads on a real disk: everything acked is there, once, whole and in order.
//!
//! Writers append as fast as answers come, one thread rotates and drops, one verifies beside them;
//! then the log is closed, opened again and read to the end.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use types::effect::{Clock, SeededRandomness, SystemThreads};
use types::{BatchId, Epoch, Lsn, LsnRange};
use wal::classify::Verdict;
use wal::disk::RealDisk;
use wal::{
    Append, Body, CommitObserver, Config, Deps, Error, Fatal, Group, LogHandle, Recovery,
    SealedSegment, Vouched, inspect,
};

const WRITERS: u64 = 8;
const APPENDS: u64 = 150;

#[derive(Debug)]
struct SystemClock(Instant);

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

#[derive(Debug)]
struct Panics;

impl Fatal for Panics {
    fn end(&self, error: &Error) -> ! {
        panic!("the log ended: {error}");
    }
}

/// Answers each append with its LSNs.
#[derive(Debug, Default)]
struct Answers {
    last: Lsn,
}

impl CommitObserver<Sender<LsnRange>> for Answers {
    fn committed(&mut self, group: Group<Sender<LsnRange>>) {
        for frame in group.frames {
            assert_eq!(frame.lsns.first(), self.last.next(), "in LSN order, without a gap");
            self.last = frame.lsns.last();
            frame.payload.send(frame.lsns).expect("the writer waits");
        }
    }

    fn refused(&mut self, _payload: Sender<LsnRange>, error: &Error) {
        panic!("there is room: {error}");
    }

    fn sealed(&mut self, _segment: &SealedSegment) {}
}

#[allow(clippy::disallowed_methods, reason = "threads of the system go by the clock of the system")]
fn deps(seed: u64) -> Deps {
    Deps {
        disk: Arc::new(RealDisk),
        clock: Arc::new(SystemClock(Instant::now())),
        randomness: Arc::new(SeededRandomness::new(seed)),
        threads: Arc::new(SystemThreads),
        fatal: Arc::new(Panics),
    }
}

fn config() -> Config {
    Config { segment_size: 64 << 10, max_size: 64 << 20, ..Config::default() }
}

fn open(dir: &Path, vouched: Lsn) -> Recovery {
    let vouched = Vouched::by_snapshot(vouched);
    Recovery::open(dir, config(), deps(1), vouched).expect("it recovers")
}

/// Appends `body` and waits for its LSNs.
fn append(log: &LogHandle<Sender<LsnRange>>, raw: Vec<u8>, batches: u32) -> LsnRange {
    let body = Body::encode(raw, &config()).expect("it is small");
    let space = log.reserve(body.frame_len()).expect("there is room");
    let (payload, answer) = channel();
    let batches = NonZeroU32::new(batches).expect("at least one");
    let batch_id = BatchId::default();
    let append = Append { body, batches, batch_id, payload, space };
    log.append(append).map_err(|(error, _)| error).expect("the log is open");
    answer.recv().expect("an answer")
}

#[test]
fn threads_append_while_others_rotate_drop_and_verify() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().join("a/wal");
    let log = open(&dir, Lsn::ZERO).start(Epoch::new(1), Answers::default()).expect("it starts");
    let acked = Mutex::new(BTreeMap::new());
    let done = AtomicBool::new(false);
    let dropped = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (log, acked, done, dropped, dir) = (&log, &acked, &done, &dropped, &dir);
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || write(log, writer, acked))).collect();
        scope.spawn(move || rotate_and_drop(log, done, dropped));
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let report = inspect::verify(&RealDisk, dir).expect("it can be read");
                assert!(!matches!(report.verdict, Verdict::Corrupt { .. }), "{report:?}");
            }
        });
        for writer in writers {
            writer.join().expect("the writer is done");
        }
        done.store(true, Ordering::Relaxed);
    });
    let state = log.state();
    assert_eq!(state.durable_lsn.get(), WRITERS * APPENDS * 2);
    log.close().expect("closed");
    log.close().expect("closed before");
    let refused = log.reserve(1).and_then(|_| log.rotate());
    assert!(matches!(refused, Err(Error::Closed)));

    let dropped = Lsn::new(dropped.load(Ordering::Relaxed));
    let recovery = open(&dir, dropped);
    let found: BTreeMap<_, _> = recovery
        .segments()
        .iter()
        .flat_map(|segment| recovery.frames(segment.seq).expect("the segment"))
        .map(|frame| frame.expect("a whole frame"))
        .map(|frame| (frame.lsns, frame.body))
        .collect();
    let mut acked = acked.into_inner().expect("no writer panicked");
    acked.retain(|lsns: &LsnRange, _| lsns.first() > dropped);
    assert!(found == acked, "{} frames were found, {} acked", found.len(), acked.len());
    let lsns: BTreeSet<_> = found.keys().map(|lsns| lsns.first().get()).collect();
    assert_eq!(lsns.len(), found.len());
}

fn write(
    log: &LogHandle<Sender<LsnRange>>,
    writer: u64,
    acked: &Mutex<BTreeMap<LsnRange, Vec<u8>>>,
) {
    for n in 0..APPENDS {
        let len = 16 + (n * 37 + writer * 101) as usize % 3000;
        let mut raw = vec![(n % 251) as u8; len];
        raw[..8].copy_from_slice(&writer.to_le_bytes());
        raw[8..16].copy_from_slice(&n.to_le_bytes());
        let lsns = append(log, raw.clone(), 1 + (n % 3) as u32);
        acked.lock().expect("no writer panicked").insert(lsns, raw);
    }
}

/// Rotates, and drops the older half of what is sealed.
fn rotate_and_drop(log: &LogHandle<Sender<LsnRange>>, done: &AtomicBool, dropped: &AtomicU64) {
    while !done.load(Ordering::Relaxed) {
        log.rotate().expect("the log is open");
        let sealed = log.state().sealed;
        if let Some(segment) = sealed.get(sealed.len() / 2).filter(|_| sealed.len() > 6) {
            log.drop_through(segment.seq).expect("dropped");
            let last = segment.lsns.map_or(0, |lsns| lsns.last().get());
            dropped.fetch_max(last, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_log_whose_handles_are_gone_closes_itself() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = root.path().join("wal");
    let log = open(&dir, Lsn::ZERO).start(Epoch::new(1), Answers::default()).expect("it starts");
    append(&log, b"kept".to_vec(), 1);
    drop(log);
    // The lock is given back when the thread has ended.
    let recovery = loop {
        match Recovery::open(&dir, config(), deps(2), Vouched::by_snapshot(Lsn::ZERO)) {
            Err(Error::Locked { .. }) => std::thread::yield_now(),
            recovery => break recovery.expect("it recovers"),
        }
    };
    let frames = recovery.frames(recovery.segments()[0].seq).expect("the segment");
    assert_eq!(frames.count(), 1);
}
