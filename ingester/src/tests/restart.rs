//! Does a restart bring back what was acknowledged, once, and nothing else?

use std::time::Duration;

use catalog::CatalogRead;
use types::seam::{DmlError, QueryError, Rejection};
use types::{DatabaseName, Lsn, LsnRange};

use super::harness::{Harness, Node};
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

/// A querier got an answer without the rows: they are in a file that its version does not have, and
/// replay had skipped them.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_from_before_the_files_that_a_replay_skips_is_told_so() {
    let harness = Harness::new();
    let node = harness.start().await;
    node.write(10, 0).await.expect("is acknowledged");
    let old = harness.catalog.snapshot().version();
    node.ingester.persist().persist_now(&db(), None, TEN_SECONDS).await.expect("persists");
    node.abandon().await;

    let node = harness.start().await;
    let buffer = node.ingester.buffer();
    let refused = buffer.register(old).expect_err("its rows are in no place that it reads");
    let QueryError::SnapshotTooOld { version, oldest } = refused else {
        panic!("a newer version can be had: {refused}");
    };
    let newest = harness.catalog.snapshot().version();
    assert!(version == old && old < oldest && oldest <= newest, "{old} {oldest} {newest}");
    drop(buffer.register(newest).expect("its files have the rows"));
    assert_eq!(node.row_count(0), 10);
}

/// Only the newest segment was replayed, or what lay beyond a boundary that was too high was not.
#[tokio::test(flavor = "multi_thread")]
async fn b11_a_log_of_many_segments_is_replayed_from_what_is_in_files_to_its_last_batch() {
    let mut harness = Harness::new();
    harness.config.wal.segment_size = 16 << 10;
    let node = harness.start().await;
    for number in 0..60 {
        node.write(1_400, 1_400 * number).await.expect("is acknowledged");
        if number == 19 {
            node.ingester.persist().persist_now(&db(), None, TEN_SECONDS).await.expect("persists");
        }
    }
    node.abandon().await;
    assert!(harness.segments().len() > 3, "{:?}", harness.segments());

    let node = harness.start().await;
    assert_eq!(node.row_count(0), 60 * 1_400);
    let mut ranges: Vec<LsnRange> = node.buffered(0).iter().map(|chunk| chunk.lsns).collect();
    ranges.sort();
    assert_eq!(ranges.first().map(|range| range.first()), Some(Lsn::new(21)));
    assert_eq!(ranges.last().map(|range| range.last()), Some(Lsn::new(60)));
    assert!(ranges.windows(2).all(|pair| pair[0].last().next() == pair[1].first()), "{ranges:?}");
}

/// What was written while the wall clock was ahead won over what was written later.
#[tokio::test(flavor = "multi_thread")]
async fn b18_a_wall_clock_that_steps_back_changes_no_order() {
    const YEAR_NS: i64 = 365 * DAY * 1_000_000_000;
    let harness = Harness::new();
    harness.clock.jump_to(50 * YEAR_NS);
    let node = harness.start().await;
    node.write(2_000, 0).await.expect("is acknowledged");
    harness.clock.jump_to(YEAR_NS);
    node.write(2_000, 0).await.expect("is acknowledged");
    node.ingester.persist().persist_now(&db(), None, TEN_SECONDS).await.expect("persists");
    for year in [40, -10, 20] {
        harness.clock.jump_to(year * YEAR_NS);
        node.write(2_000, 0).await.expect("is acknowledged");
    }
    let ranges = |node: &Node| -> Vec<LsnRange> {
        node.buffered(0).iter().map(|chunk| chunk.lsns).collect()
    };
    let expected: Vec<LsnRange> = (3..=5).map(|lsn| LsnRange::of(Lsn::new(lsn))).collect();
    assert_eq!(ranges(&node), expected);
    node.abandon().await;

    harness.clock.jump_to(0);
    let node = harness.start().await;
    assert_eq!(ranges(&node), expected, "in the order in which they were written");
    let next = node.write(1, 0).await.expect("is acknowledged");
    assert_eq!(next.lsn, Lsn::new(6));
}

/// A write that the log could not take was in the buffer already, and was shown and persisted.
#[tokio::test(flavor = "multi_thread")]
async fn z10_a_write_that_the_log_refuses_is_in_no_answer() {
    let mut harness = Harness::new();
    harness.config.wal.max_size = harness.config.wal.segment_size;
    let node = harness.start().await;
    node.write(1, 0).await.expect("is acknowledged");
    let refused = node.write(1_000_000, 10).await.expect_err("four bytes a row, a million");
    assert!(matches!(refused, DmlError::Rejected { why: Rejection::TooLarge, .. }), "{refused}");
    assert_eq!(node.row_count(0), 1);
    node.abandon().await;

    let node = harness.start().await;
    assert_eq!(node.row_count(0), 1);
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
