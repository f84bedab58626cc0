//! A partition from publication to release.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use types::seam::DurableBatch;
use types::{
    CatalogVersion, Lsn, LsnRange, MemoryBudget, MemoryOwner, PartitionBatch, PartitionKey,
    SegmentSeq,
};

use super::Partition;
use crate::tests::fixture::{database, rows, table};

struct Fixture {
    partition: Arc<Partition>,
    budget: Arc<MemoryBudget>,
}

impl Fixture {
    fn new() -> Self {
        let partition =
            Partition::new(database(), table("cpu", 1), PartitionKey::of_time(0), Arc::default());
        Self { partition: Arc::new(partition), budget: MemoryBudget::new(1 << 30) }
    }

    fn push(&self, lsn: u64, row_count: usize) {
        let batch = Arc::new(rows(row_count, lsn as i64));
        let bytes = batch.size_bytes();
        let memory = self.budget.reserve_anyway(MemoryOwner::Request, bytes);
        let pushed = self.partition.push(
            DurableBatch {
                lsn: Lsn::new(lsn),
                segment: SegmentSeq::new(0),
                database: database(),
                batch: PartitionBatch::new(table("cpu", 1), PartitionKey::of_time(0), batch),
                memory,
            },
            Duration::from_secs(lsn),
        );
        assert!(pushed.is_ok(), "the partition is listed");
    }

    /// The LSN ranges and row counts that a reader of files with `in_files` gets.
    fn read(&self, in_files: &[LsnRange]) -> Vec<(u64, u64, usize)> {
        let chunks = self.partition.chunks_not_in(in_files);
        let read = |chunk: &types::Chunk| {
            (chunk.lsns.first().get(), chunk.lsns.last().get(), chunk.batch.rows())
        };
        chunks.iter().map(read).collect()
    }
}

fn lsns(first: u64, last: u64) -> LsnRange {
    LsnRange::new(Lsn::new(first), Lsn::new(last))
}

#[test]
fn small_batches_gather_and_large_ones_stand_alone() {
    let fixture = Fixture::new();
    fixture.push(1, 1);
    fixture.push(3, 1);
    fixture.push(4, 5_000);
    fixture.push(9, 1);
    assert_eq!(fixture.read(&[]), [(1, 3, 2), (4, 4, 5_000), (9, 9, 1)]);
    let sealed = fixture.partition.seal().expect("there are rows");
    assert_eq!(sealed.lsns, lsns(1, 9));
    assert!(fixture.partition.seal().is_none());
    assert_eq!(fixture.partition.size().rows, 5_003);
}

#[test]
fn a_reader_gets_what_its_files_do_not_hold() {
    let fixture = Fixture::new();
    fixture.push(1, 1);
    let first = fixture.partition.seal().expect("there are rows").lsns;
    fixture.push(2, 1);
    let second = fixture.partition.seal().expect("there are rows").lsns;
    fixture.push(3, 1);
    assert_eq!(fixture.read(&[second]), [(1, 1, 1), (3, 3, 1)]);
    // The second job ends first; a reader of the version before still gets its rows, in order.
    fixture.partition.retire(second, CatalogVersion::new(5));
    assert_eq!(fixture.read(&[]), [(1, 1, 1), (2, 2, 1), (3, 3, 1)]);
    assert_eq!(fixture.read(&[first, second]), [(3, 3, 1)]);
    assert_eq!(fixture.partition.first_unpersisted(), Some(Lsn::new(1)));
}

#[test]
fn memory_is_held_until_the_last_reader_is_done() {
    let fixture = Fixture::new();
    fixture.push(1, 5_000);
    let held = fixture.budget.used();
    assert!(held > 0);
    let sealed = fixture.partition.seal().expect("there are rows");
    fixture.partition.retire(sealed.lsns, CatalogVersion::new(5));
    assert_eq!(fixture.budget.used_by(MemoryOwner::Query), held);
    fixture.partition.release(|version| version > CatalogVersion::new(4));
    assert!(!fixture.partition.detach_if_empty(), "a reader of version 4 needs the set");
    let (highest, kept) = fixture.partition.release(|_| false);
    assert_eq!((highest, kept), (Some(CatalogVersion::new(5)), 0));
    assert!(fixture.partition.detach_if_empty());
    assert_eq!(fixture.budget.used_by(MemoryOwner::Query), held, "the job still has the chunks");
    drop(sealed);
    assert_eq!(fixture.budget.used(), 0);
}

#[test]
fn rows_that_gather_do_not_count_as_drained() {
    let fixture = Fixture::new();
    let drained = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&drained);
    fixture.budget.on_release(move |owner, bytes| {
        if owner == MemoryOwner::Buffer {
            counted.fetch_add(bytes, Ordering::Relaxed);
        }
    });
    for lsn in 1..=10_000 {
        fixture.push(lsn, 1);
    }
    let sealed = fixture.partition.seal().expect("there are rows");
    assert_eq!(drained.load(Ordering::Relaxed), 0, "all of it is here");
    let held = fixture.budget.used();
    assert_eq!(fixture.budget.used_by(MemoryOwner::Buffer), held);
    fixture.partition.retire(sealed.lsns, CatalogVersion::new(5));
    assert_eq!(drained.load(Ordering::Relaxed), held);
}

#[test]
fn one_row_batches_cost_little_more_than_their_rows() {
    let fixture = Fixture::new();
    for lsn in 1..=100_000 {
        fixture.push(lsn, 1);
    }
    let bytes_per_row = fixture.budget.used() / 100_000;
    assert!(bytes_per_row <= 100, "{bytes_per_row} bytes a row of one tag and one field");
}

#[test]
fn a_snapshot_of_the_open_chunk_is_shared_until_a_batch_comes() {
    let fixture = Fixture::new();
    fixture.push(1, 1);
    let first = fixture.partition.chunks_not_in(&[]);
    let again = fixture.partition.chunks_not_in(&[]);
    assert!(Arc::ptr_eq(&first[0].batch, &again[0].batch));
    let copied = first[0].batch.size_bytes();
    assert_eq!(fixture.budget.used_by(MemoryOwner::Query), copied, "a copy counts once");
    fixture.push(2, 1);
    assert_eq!(first[0].batch.rows(), 1, "what a reader holds does not change");
    assert_eq!(fixture.budget.used_by(MemoryOwner::Query), copied, "until its readers are done");
    drop((first, again));
    assert_eq!(fixture.budget.used_by(MemoryOwner::Query), 0);
    assert_eq!(fixture.read(&[]), [(1, 2, 2)]);
}
