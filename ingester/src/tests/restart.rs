//! Does a restart bring back what was acknowledged, once, and nothing else?

use std::time::Duration;

use types::seam::DmlError;
use types::{DatabaseName, Lsn};

use super::harness::Harness;
use crate::{Drained, Phase};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const DAY: i64 = 86_400;

fn db() -> DatabaseName {
    DatabaseName::new("db").expect("a good name")
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_are_visible_at_once_and_after_a_restart() {
    let harness = Harness::new();
    let node = harness.start().await;
    let first = node.write(10, 0).await.expect("is acknowledged");
    let second = node.write(2_000, 10).await.expect("is acknowledged");
    assert_eq!((first.lsn, second.lsn), (Lsn::new(1), Lsn::new(2)));
    assert_eq!(node.row_count(0), 2_010);
    node.abandon().await;

    let node = harness.start().await;
    assert_eq!(node.row_count(0), 2_010);
    let third = node.write(1, 5_000).await.expect("is acknowledged");
    assert_eq!(third.lsn, Lsn::new(3), "LSNs go on");
    node.ingester.buffer().wait_for(first, TEN_SECONDS).await.expect("an older position is seen");
    assert_eq!(node.row_count(0), 2_011);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_file_is_not_replayed() {
    let harness = Harness::new();
    let node = harness.start().await;
    node.write(10, 0).await.expect("is acknowledged");
    node.write(20, DAY).await.expect("is acknowledged");
    node.ingester.persist().persist_now(&db(), None, TEN_SECONDS).await.expect("persists");
    node.write(5, 100).await.expect("is acknowledged");
    assert_eq!((node.buffered(0).len(), node.buffered(1).len()), (1, 0));
    node.abandon().await;

    let node = harness.start().await;
    assert_eq!((node.buffered(0).len(), node.buffered(1).len()), (1, 0));
    assert_eq!((node.row_count(0), node.row_count(1)), (15, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_leaves_no_segment_and_replays_nothing() {
    let harness = Harness::new();
    let node = harness.start().await;
    for second in 0..50 {
        node.write(1, second * DAY).await.expect("is acknowledged");
    }
    assert_eq!(node.ingester.drain(TEN_SECONDS).await, Drained::Completely);
    assert_eq!(node.ingester.phase(), Phase::Draining { complete: true });
    assert!(matches!(node.write(1, 0).await, Err(DmlError::Busy { .. })));
    node.ingester.close().await.expect("the log closes");
    assert_eq!(harness.memory.used(), 0, "nothing is left in memory");

    let node = harness.start().await;
    assert!(node.buffered(0).is_empty() && node.buffered(49).is_empty());
    let next = node.write(1, 0).await.expect("is acknowledged");
    assert_eq!(next.lsn, Lsn::new(51), "no LSN is given twice, though the log was empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_without_time_leaves_the_log_for_the_next_start() {
    let harness = Harness::new();
    let node = harness.start().await;
    node.write(10, 0).await.expect("is acknowledged");
    harness.catalog.hang();
    let drained = node.ingester.drain(Duration::from_millis(50)).await;
    assert_eq!(drained, Drained::Partly);
    node.ingester.close().await.expect("the log closes");
    drop(node);
    harness.catalog.release();

    let node = harness.start().await;
    assert_eq!(node.row_count(0), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_the_directory_is_refused() {
    let harness = Harness::new();
    let node = harness.start().await;
    let recovered = wal::Recovery::open(
        harness.wal_dir(),
        harness.config.wal.clone(),
        harness.wal_deps(),
        wal::Vouched { log: None, epoch: types::Epoch::ZERO, lsn: Lsn::ZERO },
    );
    assert!(matches!(recovered, Err(wal::Error::Locked { .. })));
    node.abandon().await;
}
