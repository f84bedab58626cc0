//! A disk that fills up: reads go on, writes are refused, and persisting makes room by itself.

use std::sync::Arc;
use std::time::Duration;

use catalog::CatalogRead;
use types::effect::SeededRandomness;
use types::seam::DmlError;
use types::{DatabaseName, TableId};
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

/// Writes until a write is refused because the disk is full; returns how many were taken.
async fn fill(node: &Node) -> u64 {
    let mut writes = 0;
    loop {
        match node.write(500, 0).await {
            Ok(_) => writes += 1,
            Err(DmlError::Busy { reason, .. }) => {
                assert!(reason.contains("disk of the log is full"), "{reason}");
                return writes;
            }
            Err(error) => panic!("a full disk is a passing state: {error}"),
        }
    }
}

/// Waits until the node takes a write again, by itself; returns how many writes are in files then.
async fn resume(node: &Node) -> u64 {
    // The clock stands still: nothing but dropped segments has the log look at its disk again.
    while node.write(1, 0).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.ingester.refusing(), None);
    let db = DatabaseName::new("db").expect("a good name");
    node.ingester.persist().persist_now(&db, None, TEN_SECONDS).await.expect("persists");
    // Each write is one batch of one partition, and has an LSN of its own.
    let snapshot = node.catalog.snapshot();
    let (_, table) = snapshot.table_by_id(TableId::new(1)).expect("it was written to");
    let files = table.partitions.values().flat_map(|partition| &partition.files);
    files.map(|file| file.lsns.last().get() - file.lsns.first().get() + 1).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_persisting_frees_a_full_disk_without_a_restart_and_without_being_asked() {
    let (harness, _disk) = harness();
    let node = harness.start().await;
    let writes = fill(&node).await;
    assert!(writes > 2, "{writes}");
    assert_eq!(resume(&node).await, writes + 1);
    node.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_a_node_starts_on_a_full_disk_and_makes_room_for_writes() {
    let (mut harness, disk) = harness();
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    // No file can be committed meanwhile, so the disk stays full.
    harness.catalog.hang();
    let writes = 1 + fill(&node).await;
    assert!(node.ingester.refusing().is_some_and(|reason| reason.contains("full")));
    assert_eq!(node.row_count(0), 1 + 500 * (writes - 1), "reads go on");
    let disk = disk.after(Cut::Kill, &SeededRandomness::new(1));
    node.abandon().await;
    harness.catalog.release();
    disk.set_capacity(Some(disk.used()));
    harness.disk = Arc::new(disk);

    let node = harness.start().await;
    assert_eq!(resume(&node).await, writes + 1, "all that was acknowledged is there");
    node.abandon().await;
}
