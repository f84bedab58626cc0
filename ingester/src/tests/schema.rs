//! Do refused writes leave anything behind, and do acknowledged ones have their columns?

use std::sync::Arc;

use catalog::CatalogRead;
use types::seam::{DmlError, Rejection};
use types::{BatchId, MemoryOwner, PartitionBatch, PartitionKey, TableId, Write};

use super::fixture::{database, rows, table};
use super::harness::{Harness, Node, create_cpu};

/// A write of `count` rows that creates table `cpu`, as checked before anybody else did.
async fn creating_write(node: &Node, count: usize) -> Write {
    let batch = Arc::new(rows(count, 100));
    let memory = node.ingester.gate().reserve(batch.size_bytes()).await;
    Write {
        database: database(),
        batches: vec![PartitionBatch::new(table("cpu", 1), PartitionKey::of_time(0), batch)],
        schema_change: Some(create_cpu()),
        batch_id: BatchId::default(),
        memory: memory.expect("there is room"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_columns_of_an_acknowledged_write_are_in_the_catalog() {
    let harness = Harness::new();
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    let snapshot = harness.catalog.snapshot();
    let (_, table) = snapshot.table_by_id(TableId::new(1)).expect("was created");
    let names: Vec<_> = table.schema.columns().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["host", "time", "x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lost_a_race_is_told_to_look_again_and_keeps_nothing() {
    let harness = Harness::new();
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    let write = creating_write(&node, 1).await;
    assert_eq!(node.ingester.sink().apply(write).await, Err(DmlError::SchemaChanged));
    assert_eq!(node.row_count(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_the_log_has_no_room_for_leaves_no_column() {
    let mut harness = Harness::new();
    harness.config.wal.max_size = harness.config.wal.segment_size;
    let node = harness.start().await;
    let write = creating_write(&node, 1_000_000).await;
    let refused = node.ingester.sink().apply(write).await.expect_err("four bytes a row, a million");
    assert!(matches!(refused, DmlError::Rejected { why: Rejection::TooLarge, .. }), "{refused}");
    assert!(harness.catalog.snapshot().table_by_id(TableId::new(1)).is_none());
}

/// Writes waited for a catalog that did not answer, and the node said that all was well.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_does_not_answer_for_new_columns_is_shown() {
    let harness = Harness::new();
    let node = harness.start().await;
    harness.catalog.hang();
    let mut writing = Box::pin(node.write(1, 0));
    assert!(futures::poll!(&mut writing).is_pending());
    while node.ingester.degraded().is_empty() {
        tokio::task::yield_now().await;
    }
    let degraded = node.ingester.degraded().join(", ");
    assert!(degraded.contains("the catalog does not answer: 1 "), "{degraded}");
    harness.catalog.release();
    writing.await.expect("is acknowledged");
    assert_eq!(node.ingester.degraded(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_holds_memory_for_its_rows_and_no_more() {
    let harness = Harness::new();
    let node = harness.start().await;
    node.write(30_000, 0).await.expect("is acknowledged");
    let rows: u64 = node.buffered(0).iter().map(|chunk| chunk.batch.size_bytes()).sum();
    assert_eq!(harness.memory.used_by(MemoryOwner::Request), 0, "what was encoded is on the disk");
    assert_eq!(harness.memory.used(), rows);
}
