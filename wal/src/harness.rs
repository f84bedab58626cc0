//! A log on a modelled disk whose thread is the test.

pub(crate) mod evidence;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use parking_lot::Mutex;
use types::effect::{Clock, DirLock, ManualClock, Progress, SeededRandomness, SystemThreads};
use types::{BatchId, Epoch, LogId, Lsn, LsnRange, SegmentSeq};

use crate::classify::Image;
use crate::config::Config;
use crate::deps::Deps;
use crate::disk::ModelDisk;
use crate::error::Error;
use crate::fatal::Fatal;
use crate::format::Body;
use crate::log::{
    Append, CommitObserver, CommittedFrame, Group, Request, Running, Worker, assemble,
};
use crate::recovery::Recovery;
use crate::segment::{SealedSegment, SegmentName};
use crate::vouched::Vouched;

/// Where the log is on the modelled disk.
pub(crate) const DIR: &str = "/data/wal";

/// Small sizes, so that a few appends make a log of many segments.
pub(crate) fn small() -> Config {
    Config {
        segment_size: 2048,
        max_size: 1 << 20,
        group_bytes_max: 1200,
        frame_raw_len_max: 1 << 16,
        compress_from: 64,
        idle_seal: Duration::from_secs(1),
        ballast_size: 0,
        segment_before_ballast: false,
    }
}

/// Ends the "process" by a panic, and remembers why.
#[derive(Debug, Default)]
pub(crate) struct PanicFatal {
    pub(crate) last_words: Mutex<Vec<String>>,
}

impl Fatal for PanicFatal {
    fn end(&self, error: &Error) -> ! {
        self.last_words.lock().push(error.to_string());
        // Without the panic hook, whose output would drown that of tests which end many processes.
        std::panic::resume_unwind(Box::new(error.to_string()))
    }
}

/// What the observer heard.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) committed: Vec<(LsnRange, u64)>,
    pub(crate) groups: Vec<(SegmentSeq, usize)>,
    pub(crate) refused: Vec<u64>,
    pub(crate) sealed: Vec<SealedSegment>,
}

/// An observer that remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) told: Arc<Mutex<Told>>,
}

impl CommitObserver<u64> for Recorder {
    fn committed(&mut self, group: Group<u64>) {
        let mut told = self.told.lock();
        told.groups.push((group.segment, group.frames.len()));
        for CommittedFrame { lsns, payload } in group.frames {
            told.committed.push((lsns, payload));
        }
    }

    fn refused(&mut self, payload: u64, _error: &Error) {
        self.told.lock().refused.push(payload);
    }

    fn sealed(&mut self, segment: &SealedSegment) {
        self.told.lock().sealed.push(*segment);
    }
}

/// A machine: its disk, its clock, its chance.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) disk: ModelDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) fatal: Arc<PanicFatal>,
    pub(crate) config: Config,
    pub(crate) seed: u64,
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            disk: ModelDisk::new(seed),
            clock: Arc::new(ManualClock::default()),
            fatal: Arc::new(PanicFatal::default()),
            config: small(),
            seed,
        }
    }

    pub(crate) fn with(disk: ModelDisk, config: Config) -> Self {
        Self { disk, config, ..Self::new(7) }
    }

    pub(crate) fn deps(&self) -> Deps {
        Deps {
            disk: Arc::new(self.disk.clone()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            randomness: Arc::new(SeededRandomness::new(self.seed)),
            threads: Arc::new(SystemThreads),
            fatal: Arc::clone(&self.fatal) as Arc<dyn Fatal>,
        }
    }

    pub(crate) fn recover(&self, vouched: Vouched) -> Result<Recovery, Error> {
        Recovery::open(DIR, self.config.clone(), self.deps(), vouched)
    }

    /// Recovers and starts under the next epoch.
    pub(crate) fn start(&self, vouched: Vouched) -> Result<Stepped, Error> {
        let recovery = self.recover(vouched)?;
        let epoch = recovery.epoch().next();
        Stepped::start(recovery, epoch)
    }

    /// As [`Machine::start`], with nobody to vouch.
    pub(crate) fn start_alone(&self) -> Stepped {
        self.start(Vouched::by_snapshot(Lsn::ZERO)).expect("the log starts")
    }

    /// The segments as they are on disk.
    pub(crate) fn segments(&self) -> Vec<(SegmentName, Vec<u8>)> {
        segments_of(&self.disk)
    }
}

/// The segments of the log on `disk`, in the order of their names.
pub(crate) fn segments_of(disk: &ModelDisk) -> Vec<(SegmentName, Vec<u8>)> {
    let entries = types::effect::Disk::list(disk, Path::new(DIR)).expect("the directory is there");
    let mut names: Vec<_> =
        entries.iter().filter_map(|entry| SegmentName::parse(&entry.name)).collect();
    names.sort();
    let read = |name: SegmentName| {
        disk.read(&Path::new(DIR).join(name.to_string())).expect("it was listed")
    };
    names.into_iter().map(|name| (name, read(name))).collect()
}

/// The same as input of `classify`.
pub(crate) fn images(segments: &[(SegmentName, Vec<u8>)]) -> Vec<Image<'_, Vec<u8>>> {
    segments.iter().map(|(name, bytes)| Image { name: *name, bytes }).collect()
}

/// A log whose steps the test makes.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) running: Running<u64>,
    pub(crate) worker: Worker<u64, Recorder>,
    pub(crate) recorder: Recorder,
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    config: Config,
    _lock: Box<dyn DirLock>,
}

impl Stepped {
    pub(crate) fn start(recovery: Recovery, epoch: Epoch) -> Result<Self, Error> {
        let recorder = Recorder::default();
        let log = recovery.log_id();
        let origin = recovery.origin(epoch)?;
        let config = origin.config.clone();
        let (running, worker, lock) = assemble(origin, recorder.clone(), false)?;
        Ok(Self { running, worker, recorder, log, epoch, config, _lock: lock })
    }

    /// Reserves and queues, without a step.
    pub(crate) fn queue(&self, id: u64, len: usize, batches: u32) -> Result<(), Error> {
        let body = Body::encode(body_of(id, len), &self.config)?;
        let space = self.running.room().reserve(body.frame_len())?;
        let batches = NonZeroU32::new(batches).expect("a frame has batches");
        let batch_id = BatchId::from_random(id, id);
        let append = Append { body, batches, batch_id, payload: id, space };
        self.running.append(append).map_err(|(error, _)| error)
    }

    /// Steps until there is nothing to do.
    pub(crate) fn settle(&mut self) {
        while self.worker.step() == Progress::Worked {}
    }

    /// Appends one frame as a group of its own.
    pub(crate) fn append(&mut self, id: u64, len: usize) {
        self.queue(id, len, 1).expect("there is room");
        self.settle();
    }

    /// Rotates as a caller would.
    pub(crate) fn rotate(&mut self) -> Option<SealedSegment> {
        let (answer, answers) = sync_channel(1);
        assert!(self.running.ask_queue(Request::Rotate(answer)), "the log is open");
        self.settle();
        answers.try_recv().expect("the rotation was answered")
    }

    /// Closes as a caller would.
    pub(crate) fn close(mut self) {
        let (answer, answers) = sync_channel(1);
        assert!(self.running.ask_queue(Request::Close(answer)), "the log is open");
        self.settle();
        answers.try_recv().expect("the close was answered");
    }

    pub(crate) fn committed(&self) -> Vec<(LsnRange, u64)> {
        self.recorder.told.lock().committed.clone()
    }
}

/// The body of append `id`: its number, then bytes that depend on it; every third compresses.
pub(crate) fn body_of(id: u64, len: usize) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    let mut state = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    while bytes.len() < len.max(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.push(if id.is_multiple_of(3) { 7 } else { (state >> 56) as u8 });
    }
    bytes
}

/// The append that wrote `body`, which must be there to the last byte.
pub(crate) fn id_of(body: &[u8]) -> u64 {
    let id = u64::from_le_bytes(body[..8].try_into().expect("eight bytes"));
    assert_eq!(body, body_of(id, body.len()), "the body of append {id}");
    id
}

/// All frames of a recovered log.
pub(crate) fn frames_of(recovery: &Recovery) -> Vec<(LsnRange, u64)> {
    let read = |seq| recovery.frames(seq).expect("the segment is there");
    let frames = recovery.segments().iter().flat_map(|segment| read(segment.seq));
    frames
        .map(|frame| frame.expect("a whole frame"))
        .map(|frame| (frame.lsns, id_of(&frame.body)))
        .collect()
}
