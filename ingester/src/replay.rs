//! Replay: the batches of the log that are in no file come back into the buffer.
//!
//! ```text
//!   segments ─▶ read, check ─▶ wait for memory ─▶ decode ───────▶ apply ─▶ WalTracker, BufferTree
//!               one step       for the step       several steps   in LSN order
//!               (the pool)                        (the pool)
//! ```
//!
//! Segments are read oldest first, a step of some frames at a time. A batch whose LSN lies in a range
//! that the catalog holds for its partition is skipped; the others take the ordinary way, through
//! the same tracker as live ones, so persists run beside the reading and a segment is dropped as
//! soon as all of it is settled.
//!
//! Only the next step waits for memory, and what was read before it is applied first. So whatever
//! the memory is waited for is in the buffer, from where persists free it: replay goes on within any
//! budget.
//!
//! Jobs of one partition end in any order, so there may be older rows than those in its files: what
//! comes before such a file is sealed apart from what comes behind it.

mod applier;
mod decoding;
mod pace;
mod persisted_ranges;
mod progress;
mod reader;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::Snapshot;
use futures::FutureExt;
use types::effect::{Clock, Lost, Pool, offload};
use types::{LogId, Reservation};
use wal::SegmentSummary;

use crate::buffer_tree::BufferTree;
use crate::error::Error;
use crate::persisting::segment_dropper::DropSignal;
use crate::state::IngestState;
use crate::wal_appender::PendingWrite;
use crate::wal_tracker::WalTracker;
use applier::Applier;
use decoding::Decoding;
use reader::{LogReader, Step};

pub(crate) use pace::Pace;

/// Gives memory to the replay, which waits for it as long as it must: persists free it.
#[async_trait]
pub(crate) trait ReplayMemory: Debug + Send + Sync {
    /// Returns once `bytes` are there, or the node ends.
    async fn wait_for(&self, bytes: u64) -> Reservation;
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplaySummary {
    pub(crate) segments: u64,
    pub(crate) batches: u64,
    /// Batches that were in files, or of dropped tables.
    pub(crate) skipped: u64,
}

/// Brings a log back into the buffer.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) log: wal::LogHandle<PendingWrite>,
    pub(crate) log_id: LogId,
    pub(crate) segments: Vec<SegmentSummary>,
    pub(crate) catalog: Arc<Snapshot>,
    pub(crate) tree: Arc<BufferTree>,
    pub(crate) tracker: Arc<WalTracker>,
    pub(crate) dropper: DropSignal,
    pub(crate) state: Arc<IngestState>,
    pub(crate) memory: Arc<dyn ReplayMemory>,
    pub(crate) pool: Arc<dyn Pool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pace: Pace,
}

impl Replay {
    /// Reads all segments, unless the node ends before.
    pub(crate) async fn run(&self) -> Result<ReplaySummary, Error> {
        // The version whose files are skipped. Nobody is served yet, and who reads this catalog
        // later has one as new.
        self.tree.readers().begin_at(self.catalog.version());
        let mut pipeline = Pipeline::new(self);
        let mut reader = LogReader::new(self.log.clone(), &self.segments, self.pace.step_bytes);
        loop {
            let (step, back) = self.read(reader).await?;
            reader = back;
            let Some(step) = step else { break };
            let memory = pipeline.memory_for(&step).await?;
            if self.state.is_draining() {
                return Ok(pipeline.applier.summary());
            }
            pipeline.decode(step, memory).await?;
        }
        while pipeline.apply_oldest().await? {}
        Ok(pipeline.applier.summary())
    }

    /// Reads and checks the next frames, on a thread that may block.
    async fn read(&self, mut reader: LogReader) -> Result<(Option<Step>, LogReader), Error> {
        let read = move || reader.step().map(|step| (step, reader));
        offload(&*self.pool, read).await.map_err(|Lost| Error::lost("read the log"))?
    }
}

/// The steps between the reader and the buffer, in LSN order.
struct Pipeline<'a> {
    replay: &'a Replay,
    decoding: VecDeque<Decoding>,
    applier: Applier<'a>,
}

impl<'a> Pipeline<'a> {
    fn new(replay: &'a Replay) -> Self {
        Self { replay, decoding: VecDeque::new(), applier: Applier::new(replay) }
    }

    /// The memory that `step` will take. Who waits for it has nothing else in hand.
    async fn memory_for(&mut self, step: &Step) -> Result<Reservation, Error> {
        let (replay, bytes) = (self.replay, step.bytes_decoded());
        loop {
            if let Some(reservation) = replay.memory.wait_for(bytes).now_or_never() {
                return Ok(reservation);
            }
            if !self.apply_oldest().await? {
                return Ok(replay.memory.wait_for(bytes).await);
            }
        }
    }

    /// Begins to decode `step`, after the oldest has been applied if all workers are busy.
    async fn decode(&mut self, step: Step, memory: Reservation) -> Result<(), Error> {
        if self.decoding.len() >= self.replay.pace.workers {
            self.apply_oldest().await?;
        }
        self.decoding.push_back(Decoding::begin(&*self.replay.pool, step, memory));
        Ok(())
    }

    /// Applies the oldest step as soon as it is decoded. False if there is none.
    async fn apply_oldest(&mut self) -> Result<bool, Error> {
        let Some(oldest) = self.decoding.pop_front() else { return Ok(false) };
        let step = oldest.ended().await?;
        self.applier.apply(step).await?;
        Ok(true)
    }
}
