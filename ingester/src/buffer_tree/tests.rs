//! Readers and jobs meet: no batch is missed, none is read twice, whichever comes first.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use types::effect::ManualClock;
use types::seam::{
    DurableBatch, GiveWay, Publish, QueryError, QueryExec, QueryReader, TableReader,
};
use types::{
    CatalogVersion, Chunk, Epoch, LogId, Lsn, LsnRange, MemoryBudget, MemoryOwner, PartitionBatch,
    PartitionId, PartitionKey, SegmentSeq, TableId,
};

use super::{
    BufferLimits, BufferQueryExec, BufferTree, HotPartitionObserver, Partition, SealedSet, Serving,
};
use crate::published::PublishedLsn;
use crate::tests::fixture::{database, rows, table};

const ROWS: usize = 2_000;

/// Remembers what was sealed because it was hot.
#[derive(Debug, Default)]
struct Hot(Mutex<Vec<LsnRange>>);

impl HotPartitionObserver for Hot {
    fn sealed_hot(&self, _partition: &Arc<Partition>, sealed: SealedSet) {
        self.0.lock().push(sealed.lsns);
    }
}

/// Answers queries.
#[derive(Debug)]
struct Ready;

impl Serving for Ready {
    fn check_serving(&self) -> Result<(), QueryError> {
        Ok(())
    }
}

struct Fixture {
    tree: Arc<BufferTree>,
    queries: BufferQueryExec,
    budget: Arc<MemoryBudget>,
    hot: Arc<Hot>,
}

impl Fixture {
    fn new(hot_partition_bytes: u64, query_bytes_max: u64) -> Self {
        let hot = Arc::new(Hot::default());
        let limits = BufferLimits { hot_partition_bytes, query_bytes_max };
        let observer = Arc::clone(&hot) as Arc<dyn HotPartitionObserver>;
        let clock = Arc::new(ManualClock::default());
        let budget = MemoryBudget::new(1 << 30);
        let memory = Arc::clone(&budget);
        let tree = Arc::new(BufferTree::new(limits, observer, clock, memory));
        let queries = BufferQueryExec::new(
            Arc::clone(&tree),
            Arc::new(Ready),
            PublishedLsn::new(Lsn::ZERO),
            (LogId::default(), Epoch::ZERO),
        );
        Self { tree, queries, budget, hot }
    }

    fn publish(&self, lsn: u64) {
        let batch = Arc::new(rows(ROWS, 0));
        let memory = self.budget.reserve_anyway(MemoryOwner::Request, batch.size_bytes());
        let key = PartitionKey::of_time(0);
        self.tree.publish(DurableBatch {
            lsn: Lsn::new(lsn),
            segment: SegmentSeq::new(0),
            database: database(),
            batch: PartitionBatch::new(table("cpu", 1), key, batch),
            memory,
        });
    }

    fn seal(&self) -> LsnRange {
        let partition = self.tree.partitions().remove(0);
        partition.seal().expect("there are rows").lsns
    }

    fn retire(&self, lsns: LsnRange, version: u64) {
        self.tree.retire(TableId::new(1), partition(), lsns, CatalogVersion::new(version));
    }

    fn register(&self, version: u64) -> Result<Arc<dyn QueryReader>, QueryError> {
        self.queries.register(CatalogVersion::new(version))
    }
}

fn partition() -> PartitionId {
    PartitionId::of(TableId::new(1), &PartitionKey::of_time(0))
}

fn lsns_of(reader: &dyn TableReader, in_files: &[LsnRange]) -> Result<Vec<u64>, QueryError> {
    let chunks = reader.take(partition(), in_files)?;
    Ok(chunks.iter().map(|chunk| chunk.lsns.first().get()).collect())
}

fn open(query: &Arc<dyn QueryReader>) -> Arc<dyn TableReader> {
    query.open(TableId::new(1))
}

#[test]
fn a_reader_of_an_older_version_still_finds_what_a_job_has_taken() {
    let fixture = Fixture::new(u64::MAX, u64::MAX);
    fixture.publish(1);
    let sealed = fixture.seal();
    let old = fixture.register(4).expect("nothing was released");
    fixture.retire(sealed, 5);
    let scan = open(&old);
    drop(old);
    let new = open(&fixture.register(5).expect("is the newest"));
    assert_eq!(lsns_of(&*scan, &[]), Ok(vec![1]));
    assert_eq!(lsns_of(&*new, &[sealed]), Ok(vec![]), "it reads the file");
    assert_eq!(fixture.budget.used(), 0, "the last turn let the chunk go");
}

#[test]
fn a_version_whose_chunks_are_gone_is_refused_with_the_oldest_that_is_served() {
    let fixture = Fixture::new(u64::MAX, u64::MAX);
    fixture.publish(1);
    let sealed = fixture.seal();
    fixture.retire(sealed, 5);
    let (version, oldest) = (CatalogVersion::new(4), CatalogVersion::new(5));
    let refused = fixture.register(4).expect_err("the chunk is gone");
    assert_eq!(refused, QueryError::SnapshotTooOld { version, oldest });
    assert!(fixture.register(5).is_ok());
}

#[test]
fn a_turn_sees_what_was_published_before_it() {
    let fixture = Fixture::new(u64::MAX, u64::MAX);
    fixture.publish(1);
    let scan = open(&fixture.register(1).expect("nothing was released"));
    fixture.publish(2);
    assert_eq!(scan.partitions().len(), 1);
    assert_eq!(lsns_of(&*scan, &[]), Ok(vec![1, 2]));
}

#[test]
fn a_scan_that_keeps_too_much_ends_and_no_writer_waits() {
    let fixture = Fixture::new(u64::MAX, 1);
    fixture.publish(1);
    let sealed = fixture.seal();
    let slow = open(&fixture.register(4).expect("nothing was released"));
    fixture.retire(sealed, 5);
    assert_eq!(fixture.budget.used(), 0, "what the scan kept is gone");
    let ended = lsns_of(&*slow, &[]).expect_err("it had to give way");
    assert!(matches!(ended, QueryError::SnapshotTooOld { .. }));
    assert_eq!(lsns_of(&*open(&fixture.register(5).expect("is new")), &[sealed]), Ok(vec![]));
}

/// A stream that has taken chunks and is not read on.
#[derive(Debug, Default)]
struct Stalled {
    chunks: Mutex<Vec<Chunk>>,
    ended: Mutex<Option<QueryError>>,
}

impl Stalled {
    /// Takes what there is by way of `scan`.
    fn of(scan: &dyn TableReader) -> Arc<Self> {
        let stalled = Arc::new(Self::default());
        let stream: Weak<Self> = Arc::downgrade(&stalled);
        scan.may_be_cut(stream);
        *stalled.chunks.lock() = scan.take(partition(), &[]).expect("nothing is kept yet");
        stalled
    }

    fn is_cut(&self) -> bool {
        matches!(*self.ended.lock(), Some(QueryError::SnapshotTooOld { .. }))
    }
}

impl GiveWay for Stalled {
    fn give_way(&self, why: QueryError) -> bool {
        self.chunks.lock().clear();
        *self.ended.lock() = Some(why);
        true
    }
}

#[test]
fn a_stream_that_is_not_read_on_lets_go_when_queries_hold_too_much() {
    let fixture = Fixture::new(u64::MAX, 1);
    fixture.publish(1);
    let sealed = fixture.seal();
    let scan = open(&fixture.register(4).expect("nothing was released"));
    let stalled = Stalled::of(&*scan);
    assert!(!stalled.is_cut(), "what it reads is the buffer's until a commit");
    fixture.retire(sealed, 5);
    assert_eq!(fixture.budget.used(), 0, "writers have all of it");
    assert!(stalled.is_cut());
    let late = Arc::new(Stalled::default());
    let stream: Weak<Stalled> = Arc::downgrade(&late);
    scan.may_be_cut(stream);
    assert!(late.is_cut(), "so is a stream of the same scan that begins later");
}

#[test]
fn the_oldest_stream_gives_way_and_no_more_than_have_to() {
    let size = rows(ROWS, 0).size_bytes();
    let fixture = Fixture::new(u64::MAX, size);
    let mut stalled = Vec::new();
    for lsn in 1..=2 {
        fixture.publish(lsn);
        let sealed = fixture.seal();
        let scan = open(&fixture.register(lsn).expect("nothing was released"));
        let stream = Stalled::of(&*scan);
        fixture.retire(sealed, lsn + 1);
        stalled.push((scan, stream));
    }
    let cut: Vec<bool> = stalled.iter().map(|(_, stream)| stream.is_cut()).collect();
    assert_eq!(cut, [true, false]);
    assert_eq!(fixture.budget.used_by(MemoryOwner::Query), size);
}

#[test]
fn a_hot_partition_is_sealed_by_the_batch_that_makes_it_hot() {
    let fixture = Fixture::new(1, u64::MAX);
    fixture.publish(1);
    fixture.publish(2);
    let sealed: Vec<_> = fixture.hot.0.lock().iter().map(ToString::to_string).collect();
    assert_eq!(sealed, ["1..=1", "2..=2"]);
}

#[test]
fn the_size_of_the_tree_is_that_of_its_partitions() {
    let fixture = Fixture::new(u64::MAX, u64::MAX);
    let check = || {
        let partitions = fixture.tree.partitions();
        assert_eq!(partitions.len(), 1);
        assert_eq!(fixture.tree.size(), partitions[0].size());
    };
    fixture.publish(1);
    check();
    let sealed = fixture.seal();
    fixture.publish(2);
    check();
    let reader = fixture.register(4).expect("nothing was released");
    fixture.retire(sealed, 5);
    check();
    assert!(fixture.tree.size().retired_bytes > 0, "it is kept for the reader");
    drop(reader);
    check();
    assert_eq!(fixture.tree.size().retired_bytes, 0);
}

#[test]
fn partitions_that_are_kept_for_readers_only_are_told_from_others() {
    let fixture = Fixture::new(u64::MAX, u64::MAX);
    fixture.publish(1);
    let sealed = fixture.seal();
    let reader = fixture.register(4).expect("nothing was released");
    fixture.retire(sealed, 5);
    let count = || (fixture.tree.partition_count(), fixture.tree.readers().kept_partitions());
    assert_eq!(count(), (1, 1));
    fixture.publish(2);
    assert_eq!(count(), (1, 0), "it takes writes again");
    drop(reader);
    assert_eq!(count(), (1, 0));
}

#[test]
fn an_empty_partition_is_forgotten_and_begun_anew() {
    let fixture = Fixture::new(u64::MAX, u64::MAX);
    fixture.publish(1);
    let sealed = fixture.seal();
    fixture.retire(sealed, 5);
    assert!(fixture.tree.partitions().is_empty());
    fixture.publish(2);
    assert_eq!(fixture.tree.size().rows, ROWS as u64);
}
