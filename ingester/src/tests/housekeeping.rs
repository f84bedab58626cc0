//! Does housekeeping persist what is old, and refuse nobody?

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use types::seam::{DmlError, Rejection};
use types::{BatchId, DatabaseName, PartitionBatch, PartitionKey, Write};

use super::fixture::{database, rows, table};
use super::harness::{Harness, Node};
use crate::Drained;

const DAY: i64 = 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn old_partitions_are_persisted_by_themselves_and_free_the_log() {
    let mut harness = Harness::new();
    harness.config.persist_max_age = Duration::from_millis(200);
    harness.config.rotation_period = Duration::from_millis(100);
    let node = harness.start().await;
    for day in 0..20 {
        node.write(10, day * DAY).await.expect("is acknowledged");
    }
    harness.clock.advance(Duration::from_secs(1));
    while harness.memory.used() > 0 || harness.segments().len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!((0..20).map(|day| node.row_count(day)).sum::<u64>(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_partitions_on_few_permits_refuse_no_write() {
    let mut harness = Harness::new();
    harness.config.persist.queue_depth = NonZeroUsize::new(4).expect("not zero");
    harness.config.persist_max_age = Duration::from_millis(50);
    let node = harness.start().await;
    for round in 0..5 {
        for day in 0..200 {
            node.write(2, day * DAY + round * 2).await.expect("housekeeping refuses nobody");
        }
        harness.clock.advance(Duration::from_secs(1));
    }
    let db = DatabaseName::new("db").expect("a good name");
    node.ingester
        .persist()
        .persist_now(&db, None, Duration::from_secs(60))
        .await
        .expect("all is persisted");
    assert_eq!((0..200).map(|day| node.row_count(day)).sum::<u64>(), 2_000);
}

/// Each rotation refused all writes until half of its jobs had ended.
#[tokio::test(flavor = "multi_thread")]
async fn z14_rotations_of_two_thousand_partitions_refuse_no_write() {
    const PARTITIONS: i64 = 2_000;
    let mut harness = Harness::new();
    harness.config.persist.queue_depth = NonZeroUsize::new(8).expect("not zero");
    harness.config.rotation_period = Duration::from_millis(50);
    // Small enough that a partition of one row is worth a file at a rotation.
    harness.config.hot_partition_size = 3 * rows(1, 0).size_bytes();
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    // From now on no job ends, so at the first rotation there are no more permits.
    harness.catalog.hang();
    let mut days = 1;
    while days < PARTITIONS || harness.segments().len() < 4 {
        node.write(1, days * DAY).await.expect("a rotation refuses nobody");
        days += 1;
    }
    harness.catalog.release();
    let db = DatabaseName::new("db").expect("a good name");
    let persist = node.ingester.persist();
    persist.persist_now(&db, None, Duration::from_secs(120)).await.expect("all is persisted");
    assert_eq!((0..days).map(|day| node.row_count(day)).sum::<u64>(), days as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_rotated_while_no_job_can_end() {
    let mut harness = Harness::new();
    harness.config.persist.queue_depth = NonZeroUsize::new(2).expect("not zero");
    harness.config.hot_partition_size = 1 << 20;
    harness.config.rotation_period = Duration::from_millis(50);
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    harness.catalog.hang();
    // Each is worth a file at a rotation; one gets the permit, the others wait for it.
    for day in 0..3 {
        node.write(20_000, day * DAY).await.expect("is acknowledged");
    }
    let mut second = 20_000;
    while harness.segments().len() < 5 {
        node.write(1, second).await.expect("is acknowledged");
        second += 1;
    }
    harness.catalog.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_than_may_be_buffered_are_refused_until_some_are_in_files() {
    let mut harness = Harness::new();
    harness.config.buffered_partitions_max = 10;
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    harness.catalog.hang();
    for day in 1..10 {
        node.write(1, day * DAY).await.expect("is acknowledged");
    }
    let refused = node.write(1, 10 * DAY).await.expect_err("an eleventh partition");
    assert!(matches!(&refused, DmlError::Busy { reason, .. } if reason.contains("limit of 10")));
    node.write(1, 9 * DAY + 1).await.expect("that partition is there already");
    harness.catalog.release();
    // Nobody asks for it: the oldest are persisted because there are so many.
    while node.write(1, 10 * DAY).await.is_err() {
        tokio::task::yield_now().await;
    }
}

/// A write of one row to each of the days.
async fn write_of_days(node: &Node, days: Range<i64>) -> Write {
    let batch = |day: i64| {
        let rows = Arc::new(rows(1, day * DAY));
        PartitionBatch::new(table("cpu", 1), PartitionKey::of_day(day), rows)
    };
    let batches: Vec<PartitionBatch> = days.map(batch).collect();
    let bytes = batches.iter().map(|batch| batch.batch.size_bytes()).sum();
    let memory = node.ingester.gate().reserve(bytes).await.expect("there is room");
    let (database, batch_id) = (database(), BatchId::default());
    Write { database, batches, schema_change: None, batch_id, memory }
}

/// A part of a request was kept though another was refused, and the log was never freed of it.
#[tokio::test(flavor = "multi_thread")]
async fn z6_a_request_with_a_partition_too_many_is_refused_whole_and_holds_up_no_end() {
    let mut harness = Harness::new();
    // With three of them there, none is persisted yet to make room for others.
    harness.config.buffered_partitions_max = 4;
    let node = harness.start().await;
    for day in 0..3 {
        node.write(1, day * DAY).await.expect("is acknowledged");
    }
    let write = write_of_days(&node, 3..5).await;
    let refused = node.ingester.sink().apply(write).await.expect_err("a fifth partition");
    assert!(matches!(refused, DmlError::Busy { .. }), "{refused}");
    assert_eq!(node.ingester.drain(Duration::from_secs(60)).await, Drained::Completely);
    node.abandon().await;

    let node = harness.start().await;
    let counts: Vec<u64> = (0..5).map(|day| node.row_count(day)).collect();
    assert_eq!(counts, [1, 1, 1, 0, 0]);
    assert!(node.buffered(0).is_empty(), "the log was freed of it");
}

/// It was busy each time, and was sent for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_more_partitions_than_can_ever_be_buffered_is_not_asked_for_again() {
    let mut harness = Harness::new();
    harness.config.buffered_partitions_max = 4;
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    // One of the five is there, but beside it there is no room for the others.
    let write = write_of_days(&node, 0..5).await;
    let refused = node.ingester.sink().apply(write).await.expect_err("five partitions");
    let DmlError::Rejected { why: Rejection::TooLarge, reason } = &refused else {
        panic!("it will never fit: {refused}");
    };
    assert!(reason.contains("limit of 4"), "{reason}");
    let counts: Vec<u64> = (0..5).map(|day| node.row_count(day)).collect();
    assert_eq!(counts, [1, 0, 0, 0, 0], "nothing of it was kept");

    // As many as fit once those that are there are in files.
    let db = DatabaseName::new("db").expect("a good name");
    let persist = node.ingester.persist();
    persist.persist_now(&db, None, Duration::from_secs(60)).await.expect("all is persisted");
    loop {
        let write = write_of_days(&node, 1..5).await;
        match node.ingester.sink().apply(write).await {
            Ok(_) => break,
            // A partition without rows is taken out of the buffer a moment later.
            Err(DmlError::Busy { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("four fit: {error}"),
        }
    }
}

/// Writes far more than the log may hold, in a log of `segments` segments at most.
async fn check_log_is_freed(segments: u64) {
    let mut harness = Harness::new();
    harness.config.wal.max_size = segments * harness.config.wal.segment_size;
    let node = harness.start().await;
    let mut written = 0;
    while written < 100 {
        match node.write(20_000, written * DAY).await {
            Ok(_) => written += 1,
            Err(DmlError::Busy { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("a full log is a passing state: {error}"),
        }
    }
    assert_eq!((0..100).map(|day| node.row_count(day)).sum::<u64>(), 2_000_000);
    assert!(harness.segments().len() as u64 <= segments + 1, "the next one is prepared ahead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_fills_up_is_freed_by_persisting_what_it_holds() {
    check_log_is_freed(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_one_segment_is_rotated_to_be_freed() {
    check_log_is_freed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z15_memory_pressure_makes_room_for_who_waits() {
    let mut harness = Harness::new();
    harness.memory = types::MemoryBudget::new(16 << 20);
    harness.config.hot_partition_size = 1 << 20;
    let node = harness.start().await;
    // Far more than fits at once: each write waits until older rows are in files.
    for day in 0..100 {
        node.write(20_000, day * DAY).await.expect("waits for room, and gets it");
    }
    assert_eq!((0..100).map(|day| node.row_count(day)).sum::<u64>(), 2_000_000);
    let (most, limit) = (harness.memory.high_water(), harness.memory.limit());
    assert!(
        most <= limit - limit / 4,
        "{most} bytes at once, of {limit}; a quarter is for queries"
    );
    assert!(most > limit / 3, "{most} bytes at once are no pressure");
}
