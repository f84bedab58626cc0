//! Does a replay bring back what the log holds, in order, within any budget, and does it end?
//!
//! A node writes a log and is left; the log is replayed into trees of these tests, or by a node.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::{CatalogRead, Snapshot};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use types::effect::{Clock, ManualClock};
use types::write::codec::decode_body;
use types::{
    Batch, BatchId, DatabaseId, DatabaseName, DatabaseRef, Epoch, LogId, Lsn, LsnRange,
    MemoryBudget, MemoryOwner, PartitionBatch, PartitionId, PartitionKey, Reservation, TableId,
    TableRef, Write,
};
use wal::{Append, Body, CommitObserver, Group, LogHandle, Recovery, SegmentSummary, Vouched};

use super::fixture::{database, rows, table};
use super::harness::{BlockingPool, Harness, Node, create_cpu};
use crate::buffer_tree::{BufferLimits, BufferTree, HotPartitionObserver, Partition, SealedSet};
use crate::persisting::segment_dropper::DropSignal;
use crate::replay::{Pace, Replay, ReplayMemory, ReplaySummary};
use crate::state::{IngestState, Phase};
use crate::wal_appender::PendingWrite;
use crate::{Drained, Error};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const DAY: i64 = 86_400;

/// The first of three tables, each in a database of its own.
const FIRST: u64 = 11;

fn database_of(number: u64) -> Arc<DatabaseRef> {
    let name = DatabaseName::new(&format!("db{number}")).expect("a good name");
    Arc::new(DatabaseRef { id: DatabaseId::new(number), name })
}

/// Writes a batch of `count` rows to each of three days of table `number`, as one request.
async fn write(node: &Node, number: u64, count: usize, first_second: i64, creates: bool) {
    let batch = |day: i64| {
        let rows = Arc::new(rows(count, day * DAY + first_second));
        PartitionBatch::new(table("cpu", number), PartitionKey::of_day(day), rows)
    };
    let batches: Vec<PartitionBatch> = (0..3).map(batch).collect();
    let bytes = batches.iter().map(|batch| batch.batch.size_bytes()).sum();
    let memory = node.ingester.gate().reserve(bytes).await.expect("there is room");
    let schema_change = creates.then(|| {
        let mut change = create_cpu();
        change.database = DatabaseRef::clone(&database_of(number));
        change.tables[0].table = TableRef::clone(&table("cpu", number));
        change
    });
    let (database, batch_id) = (database_of(number), BatchId::default());
    let write = Write { database, batches, schema_change, batch_id, memory };
    node.ingester.sink().apply(write).await.expect("is acknowledged");
}

/// Hears nothing: what is appended here is never published.
struct NoPublisher;

impl CommitObserver<PendingWrite> for NoPublisher {
    fn committed(&mut self, _group: Group<PendingWrite>) {}
    fn refused(&mut self, _write: PendingWrite, _error: &wal::Error) {}
    fn sealed(&mut self, _segment: &wal::SealedSegment) {}
}

/// Remembers what was sealed, in its order.
#[derive(Debug, Default)]
struct SealedSets(Mutex<Vec<(PartitionId, LsnRange)>>);

impl HotPartitionObserver for SealedSets {
    fn sealed_hot(&self, partition: &Arc<Partition>, sealed: SealedSet) {
        self.0.lock().push((partition.id(), sealed.lsns));
    }
}

/// Has no memory while `open_bytes` are used, unless the node ends.
#[derive(Debug)]
struct Memory {
    budget: Arc<MemoryBudget>,
    open_bytes: u64,
    state: Arc<IngestState>,
}

#[async_trait]
impl ReplayMemory for Memory {
    async fn wait_for(&self, bytes: u64) -> Reservation {
        if self.budget.used() >= self.open_bytes {
            self.state.drained().await;
        }
        self.budget.reserve_anyway(MemoryOwner::Request, bytes)
    }
}

/// A log that a node has left, and the catalog as it was then.
struct LeftLog {
    log: LogHandle<PendingWrite>,
    log_id: LogId,
    segments: Vec<SegmentSummary>,
    catalog: Arc<Snapshot>,
    harness: Harness,
}

impl LeftLog {
    /// Many segments of small batches, which gather in chunks, and large ones, which are chunks;
    /// what one of the databases got first is in files.
    async fn new() -> Self {
        let mut harness = Harness::new();
        harness.config.wal.segment_size = 64 << 10;
        let node = harness.start().await;
        for request in 0..90 {
            let (number, creates) = (FIRST + request % 3, request < 3);
            let count = if request % 7 == 0 { 1_500 } else { 1 + request as usize % 50 };
            write(&node, number, count, request as i64 * 900, creates).await;
            if request == 40 {
                let (first, persist) = (database_of(FIRST), node.ingester.persist());
                persist.persist_now(&first.name, None, TEN_SECONDS).await.expect("persists");
            }
        }
        node.abandon().await;
        Self::open(harness)
    }

    fn open(harness: Harness) -> Self {
        let catalog = harness.catalog.snapshot();
        let known = catalog.logs().next().map(|(log, entry)| (log, *entry));
        let (log_id, entry) = known.expect("the node has opened it");
        let vouched = Vouched { log: Some(log_id), epoch: entry.epoch, lsn: entry.lsn };
        let config = harness.config.wal.clone();
        let recovered = Recovery::open(harness.wal_dir(), config, harness.wal_deps(), vouched);
        let recovery = recovered.expect("the log is whole");
        let (segments, epoch) = (recovery.segments().to_vec(), recovery.epoch().next());
        let log = recovery.start(epoch, NoPublisher).expect("the log starts");
        Self { log, log_id, segments, catalog, harness }
    }

    /// A replay into a tree of its own, with memory as long as fewer than `open_bytes` are used.
    fn replay(&self, pace: Pace, open_bytes: u64, sealed: &Arc<SealedSets>) -> Replay {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let budget = MemoryBudget::new(1 << 30);
        let limits = BufferLimits { hot_partition_bytes: 50_000, query_bytes_max: u64::MAX };
        let hot = Arc::clone(sealed) as Arc<dyn HotPartitionObserver>;
        let tree = BufferTree::new(limits, hot, Arc::clone(&clock), Arc::clone(&budget));
        let state = Arc::new(IngestState::new());
        Replay {
            log: self.log.clone(),
            log_id: self.log_id,
            segments: self.segments.clone(),
            catalog: Arc::clone(&self.catalog),
            tree: Arc::new(tree),
            tracker: Arc::default(),
            dropper: DropSignal::default(),
            state: Arc::clone(&state),
            memory: Arc::new(Memory { budget, open_bytes, state }),
            pool: Arc::new(BlockingPool),
            clock,
            pace,
        }
    }

    /// The times of the rows of each partition that are in no file, in the order of their LSNs, as
    /// the frames have them.
    fn times(&self) -> BTreeMap<PartitionId, Vec<i64>> {
        let mut times: BTreeMap<PartitionId, Vec<i64>> = BTreeMap::new();
        for segment in &self.segments {
            for frame in self.log.frames(segment.seq).expect("is sealed") {
                let frame = frame.expect("is whole");
                let mut lsn = frame.lsns.first();
                for batch in decode_body(&frame.body).expect("was encoded").batches {
                    if !self.is_in_file(&batch, lsn) {
                        times
                            .entry(batch.partition())
                            .or_default()
                            .extend(batch.batch.time().iter());
                    }
                    lsn = lsn.next();
                }
            }
        }
        times
    }

    fn is_in_file(&self, batch: &PartitionBatch, lsn: Lsn) -> bool {
        let (_, table) = self.catalog.table_by_id(batch.table.id).expect("was created");
        let partition = table.partitions.get(&batch.key);
        let ranges = partition.into_iter().flat_map(|partition| partition.lsns_of(self.log_id));
        ranges.map(|(_, lsns)| lsns).any(|lsns| lsns.contains(lsn))
    }

    /// Appends a frame of `batches` batches whose body nobody can read, and seals its segment.
    fn append_unreadable(&mut self, batches: NonZeroU32) -> SegmentSummary {
        let body = Body::encode(vec![0xff; 40], &self.harness.config.wal).expect("it is small");
        let space = self.log.reserve(body.frame_len()).expect("there is room");
        let memory = self.harness.memory.reserve_anyway(MemoryOwner::Request, 0);
        let (done, _answer) = oneshot::channel();
        let payload = PendingWrite { database: database(), batches: Vec::new(), memory, done };
        let batch_id = BatchId::default();
        let appended = self.log.append(Append { body, batches, batch_id, payload, space });
        assert!(appended.is_ok(), "there was room");
        let sealed = self.log.rotate().expect("the disk is well").expect("there is a frame");
        let (seq, lsns, epoch) = (sealed.seq, sealed.lsns, Epoch::ZERO);
        let summary = SegmentSummary { seq, epoch, lsns, frames: 1, bytes: 100, torn: None };
        self.segments.push(summary);
        summary
    }
}

impl Drop for LeftLog {
    /// Before the directory goes.
    fn drop(&mut self) {
        let _ = self.log.close();
    }
}

/// What a replay came to, as far as it must not depend on its pace.
#[derive(Debug, PartialEq)]
struct Replayed {
    summary: ReplaySummary,
    chunks: BTreeMap<PartitionId, Vec<(LsnRange, Arc<Batch>)>>,
    sealed: Vec<(PartitionId, LsnRange)>,
    tracker: String,
}

impl Replayed {
    async fn of(left: &LeftLog, pace: Pace) -> (Replay, Self) {
        let sealed = Arc::new(SealedSets::default());
        let replay = left.replay(pace, u64::MAX, &sealed);
        let summary = replay.run().await.expect("the log is whole");
        let chunks = replay.tree.partitions().into_iter().map(|partition| {
            let chunks = partition.chunks_not_in(&[]).into_iter();
            (partition.id(), chunks.map(|chunk| (chunk.lsns, chunk.batch)).collect())
        });
        let chunks = chunks.collect();
        let sealed = sealed.0.lock().clone();
        let tracker = format!("{:?}", replay.tracker);
        (replay, Self { summary, chunks, sealed, tracker })
    }

    fn times(&self) -> BTreeMap<PartitionId, Vec<i64>> {
        let times = |chunks: &Vec<(LsnRange, Arc<Batch>)>| {
            chunks.iter().flat_map(|(_, batch)| batch.time().to_vec()).collect()
        };
        self.chunks.iter().map(|(id, chunks)| (*id, times(chunks))).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rows_come_back_in_the_order_of_their_lsns_at_any_pace() {
    let left = LeftLog::new().await;
    assert!(left.segments.len() > 3, "{} segments", left.segments.len());
    let (_, alone) = Replayed::of(&left, Pace { workers: 1, step_bytes: 4 << 20 }).await;
    assert_eq!(alone.times(), left.times());
    assert!(alone.summary.skipped > 0 && alone.sealed.len() > 3);
    assert_eq!(alone.summary.segments, left.segments.len() as u64);
    assert_eq!(alone.summary.batches, 270);
    for pace in [Pace { workers: 4, step_bytes: 1 }, Pace { workers: 4, step_bytes: 4 << 20 }] {
        let (_, beside) = Replayed::of(&left, pace).await;
        assert_eq!(beside, alone, "{pace:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_segment_is_kept_until_all_jobs_of_its_rows_are_settled() {
    let left = LeftLog::new().await;
    let (replay, replayed) = Replayed::of(&left, Pace { workers: 4, step_bytes: 1 }).await;
    let mut unsettled: Vec<(PartitionId, LsnRange)> = Vec::new();
    for (id, chunks) in &replayed.chunks {
        unsettled.extend(chunks.iter().map(|(lsns, _)| (*id, *lsns)));
    }
    unsettled.sort_by_key(|(_, lsns)| lsns.first());
    // The oldest job ends last.
    while let Some((partition, lsns)) = unsettled.pop() {
        assert_eq!(replay.tracker.droppable(), None, "{lsns} are in no file");
        replay.tracker.settled(partition, lsns);
    }
    let through = replay.tracker.droppable().map(|droppable| droppable.through);
    assert_eq!(through, left.segments.last().map(|segment| segment.seq));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_cannot_be_decoded_is_named() {
    let mut left = LeftLog::new().await;
    let unreadable = left.append_unreadable(NonZeroU32::MIN.saturating_add(1));
    let sealed = Arc::new(SealedSets::default());
    let replay = left.replay(Pace { workers: 4, step_bytes: 1 }, u64::MAX, &sealed);
    let Err(Error::Frame { segment, lsns, .. }) = replay.run().await else {
        panic!("the last frame is no write");
    };
    assert_eq!((segment, Some(lsns)), (unreadable.seq, unreadable.lsns));
    assert_eq!(lsns.last(), lsns.first().next());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_waits_for_memory_ends_with_its_node() {
    let left = LeftLog::new().await;
    let sealed = Arc::new(SealedSets::default());
    let replay = left.replay(Pace { workers: 2, step_bytes: 1 }, 200_000, &sealed);
    let running = async { replay.run().await.expect("ends early, and well") };
    let draining = async {
        // Nothing frees memory here: when there is none left, nothing moves any more.
        while replay.tree.size().unsealed_bytes + replay.tree.size().sealed_bytes < 200_000 {
            tokio::task::yield_now().await;
        }
        replay.state.drain();
    };
    let (summary, ()) = tokio::join!(running, draining);
    assert!(summary.batches < 270, "{} batches", summary.batches);
}

/// Replays a log that is far larger than what the buffer may hold.
async fn check_replay_within(budget: u64, days: i64) {
    let mut harness = Harness::new();
    let node = harness.start().await;
    for day in 0..days {
        node.write(20_000, day * DAY).await.expect("is acknowledged");
    }
    node.abandon().await;

    harness.memory = MemoryBudget::new(budget);
    harness.config.hot_partition_size = 1 << 20;
    let node = harness.start().await;
    let snapshot = harness.catalog.snapshot();
    let (_, table) = snapshot.table_by_id(TableId::new(1)).expect("was created");
    assert!(!table.partitions.is_empty(), "persists made room for the rest");
    let persist = node.ingester.persist();
    persist.persist_now(&database().name, None, TEN_SECONDS).await.expect("persists the rest");
    assert_eq!((0..days).map(|day| node.row_count(day)).sum::<u64>(), days as u64 * 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_larger_than_memory_is_replayed_while_it_is_persisted() {
    check_replay_within(16 << 20, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_larger_than_the_memory_for_writes_are_replayed_one_by_one() {
    check_replay_within(1 << 20, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_while_it_replays_leaves_the_log_for_the_next_start() {
    let mut harness = Harness::new();
    let node = harness.start().await;
    for day in 0..30 {
        node.write(20_000, day * DAY).await.expect("is acknowledged");
    }
    node.abandon().await;

    let memory = std::mem::replace(&mut harness.memory, MemoryBudget::new(1 << 20));
    let node = harness.begin().await;
    // Nothing is committed any more, so memory stays full.
    harness.catalog.hang();
    while !matches!(node.ingester.phase(), Phase::Replaying(progress) if progress.batches > 0) {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.ingester.drain(TEN_SECONDS).await, Drained::Partly);
    assert_eq!(node.ingester.phase(), Phase::Draining { complete: false });
    node.abandon().await;
    harness.catalog.release();

    harness.memory = memory;
    let node = harness.start().await;
    assert_eq!((0..30).map(|day| node.row_count(day)).sum::<u64>(), 600_000);
}
