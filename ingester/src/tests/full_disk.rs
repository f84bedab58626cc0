//! A disk that fills up: reads go on, writes are refused, and persisting makes room by itself.

use std::sync::Arc;
use std::time::Duration;

use types::DatabaseName;
use types::effect::SeededRandomness;
use types::seam::DmlError;
use wal::disk::{Cut, ModelDisk};

use super::harness::{Harness, Node};

const SEGMENT: u64 = 64 << 10;
const TEN_SECONDS: Duration = Duration::from_secs(10);

/// An ingester's surroundings, with a disk that has room for a few segments.
fn harness() -> (Harness, ModelDisk) {
    let mut harness = Harness::new();
    let disk = ModelDisk::new(1);
    harness.disk = Arc::new(disk.clone());
    harness.config.wal.segment_size = SEGMENT;
    disk.set_capacity(Some(8 * SEGMENT));
    (harness, disk)
}

/// Writes until a write is refused because the disk is full; returns how many rows were taken.
async fn fill(node: &Node) -> u64 {
    let mut rows = 0;
    loop {
        match node.write(500, 0).await {
            Ok(_) => rows += 500,
            Err(DmlError::Busy { reason, .. }) => {
                assert!(reason.contains("disk of the log is full"), "{reason}");
                return rows;
            }
            Err(error) => panic!("a full disk is a passing state: {error}"),
        }
    }
}

/// Waits until the node takes a row again, by itself; returns how many there are then.
async fn resume(node: &Node) -> u64 {
    // The clock stands still: nothing but dropped segments has the log look at its disk again.
    while node.write(1, 0).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.ingester.refusing(), None);
    let db = DatabaseName::new("db").expect("a good name");
    // Nothing is on its way to a file any more, so that each row is counted once.
    node.ingester.persist().persist_now(&db, None, TEN_SECONDS).await.expect("persists");
    node.row_count(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_persisting_frees_a_full_disk_without_a_restart_and_without_being_asked() {
    let (harness, _disk) = harness();
    let node = harness.start().await;
    let rows = fill(&node).await;
    assert!(rows > 1000, "{rows}");
    assert_eq!(resume(&node).await, rows + 1);
    node.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_a_node_starts_on_a_full_disk_and_makes_room_for_writes() {
    let (mut harness, disk) = harness();
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    // No file can be committed meanwhile, so the disk stays full.
    harness.catalog.hang();
    let rows = 1 + fill(&node).await;
    assert!(node.ingester.refusing().is_some_and(|reason| reason.contains("full")));
    assert_eq!(node.row_count(0), rows, "reads go on");
    let disk = disk.after(Cut::Kill, &SeededRandomness::new(1));
    node.abandon().await;
    harness.catalog.release();
    disk.set_capacity(Some(disk.used()));
    harness.disk = Arc::new(disk);

    let node = harness.start().await;
    assert_eq!(resume(&node).await, rows + 1, "all that was acknowledged is there");
    node.abandon().await;
}
