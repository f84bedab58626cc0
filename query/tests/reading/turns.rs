//! A query reads each batch once, whatever is committed between its turns.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::{CatalogRead, MemoryCatalog, Snapshot};
use futures::StreamExt;
use parking_lot::Mutex;
use query::Error;
use tokio::sync::watch;
use types::partition::DAY_NS;
use types::seam::QueryError;
use types::{CatalogVersion, ErrorKind};

use crate::model::{Row, rows_of};
use crate::world::{World, collect, config};

const DAYS: i64 = 12;

/// A world with one chunk in each of twelve partitions, half of them with a file before it.
fn twelve_days(world: &World) {
    let day = |day: i64| Row::at(day * DAY_NS).tag("a", "a1").int("x", day);
    for number in 0..DAYS / 2 {
        world.write(&[day(number)]);
    }
    world.persist_all();
    for number in 0..DAYS {
        world.write(&[day(number).int("x", 100 + number)]);
    }
}

fn one_stream() -> query::Config {
    let target_partitions = std::num::NonZeroUsize::MIN;
    query::Config { target_partitions, ..config() }
}

#[tokio::test]
async fn files_that_are_committed_between_turns_are_not_read_and_their_chunks_are() {
    let world = World::with(one_stream());
    twelve_days(&world);
    let mut answer = world.ask("SELECT * FROM cpu").await.expect("is good");
    let first = answer.stream.next().await.expect("is there").expect("is good");
    assert!(world.buffer.turns() < DAYS as usize, "turns are to come");
    world.persist_all();
    assert!(world.buffer.chunks() > 0, "chunks are kept for the query");
    let mut batches = collect(answer).await.expect("is good");
    batches.push(first);
    assert_eq!(rows_of(&batches), world.model.lock().rows(&[], |_| true));
    assert_eq!(world.buffer.turns(), DAYS as usize);
    assert_eq!(world.buffer.chunks(), 0, "nothing is kept when the query is over");
}

#[tokio::test]
async fn what_is_published_before_a_turn_is_in_the_answer() {
    let world = World::with(one_stream());
    twelve_days(&world);
    let mut answer = world.ask("SELECT * FROM cpu").await.expect("is good");
    let first = answer.stream.next().await.expect("is there").expect("is good");
    let last_day = (DAYS - 1) * DAY_NS;
    world.write(&[Row::at(last_day).tag("a", "a1").int("x", 7), Row::at(last_day + 1).int("x", 8)]);
    let mut batches = collect(answer).await.expect("is good");
    batches.push(first);
    assert_eq!(rows_of(&batches), world.model.lock().rows(&[], |_| true));
}

#[tokio::test]
async fn a_row_of_columns_that_the_version_does_not_know_is_no_row_without_values() {
    let world = World::with(one_stream());
    twelve_days(&world);
    let before = world.model.lock().rows(&[], |_| true);
    let mut answer = world.ask("SELECT * FROM cpu").await.expect("is good");
    let first = answer.stream.next().await.expect("is there").expect("is good");
    let last_day = (DAYS - 1) * DAY_NS;
    world.write(&[Row::at(last_day + 1).tag("a", "a1").int("y", 7)]);
    let mut batches = collect(answer).await.expect("is good");
    batches.push(first);
    assert_eq!(rows_of(&batches), before);
    assert_eq!(world.rows("SELECT * FROM cpu").await.len(), before.len() + 1);
}

#[tokio::test]
async fn each_scan_of_a_table_has_turns_of_its_own() {
    let world = World::new();
    twelve_days(&world);
    let sql = "SELECT a.x FROM cpu a JOIN cpu b ON a.time = b.time WHERE b.x >= 0";
    assert_eq!(world.rows(sql).await, world.model.lock().rows(&["x"], |_| true));
    assert_eq!(world.buffer.turns(), 2 * DAYS as usize);
}

#[tokio::test]
async fn a_plan_that_is_only_explained_keeps_nothing() {
    let world = World::new();
    twelve_days(&world);
    world.pretty("EXPLAIN SELECT * FROM cpu").await;
    assert_eq!((world.buffer.turns(), world.buffer.readers()), (0, 0));
}

#[tokio::test]
async fn a_partition_that_the_filter_excludes_has_no_turn() {
    let world = World::new();
    twelve_days(&world);
    let sql = "SELECT x FROM cpu WHERE time >= '1970-01-12'";
    assert_eq!(world.rows(sql).await.len(), 1);
    assert_eq!(world.buffer.turns(), 1);
}

#[tokio::test]
async fn a_query_that_is_too_slow_for_the_memory_ends_with_snapshot_too_old() {
    let world = World::with(one_stream());
    twelve_days(&world);
    let mut answer = world.ask("SELECT * FROM cpu").await.expect("is good");
    answer.stream.next().await.expect("is there").expect("is good");
    world.persist_all();
    world.buffer.run_short_of_memory();
    let error = collect(answer).await.expect_err("chunks are gone");
    assert!(matches!(error, Error::Buffer(QueryError::SnapshotTooOld { .. })), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Busy);
}

#[tokio::test]
async fn a_buffer_that_fails_one_side_of_a_join_is_told_from_a_fault() {
    let world = World::with(one_stream());
    twelve_days(&world);
    let persist = world.clone();
    world.buffer.at_turn(move |_| {
        persist.persist_all();
        persist.buffer.run_short_of_memory();
    });
    let sql = "SELECT a.x FROM cpu a JOIN cpu b ON a.x = b.x";
    let error = world.batches(sql).await.expect_err("chunks are gone");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
}

/// A catalog that knows an old version only, which the buffer has let go of, until it is refreshed.
#[derive(Debug)]
struct Lagging {
    catalog: Arc<MemoryCatalog>,
    known: Mutex<Arc<Snapshot>>,
    refreshes: bool,
}

#[async_trait]
impl CatalogRead for Lagging {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.known.lock())
    }

    async fn refresh(&self) -> Result<Arc<Snapshot>, catalog::Error> {
        if self.refreshes {
            *self.known.lock() = self.catalog.snapshot();
        }
        Ok(self.snapshot())
    }

    fn watch(&self) -> watch::Receiver<CatalogVersion> {
        self.catalog.watch()
    }
}

fn lagging(refreshes: bool) -> World {
    let catalog = Arc::new(MemoryCatalog::default());
    let known = Mutex::new(catalog.snapshot());
    let lagging = Arc::new(Lagging { catalog: Arc::clone(&catalog), known, refreshes });
    let world = World::with_catalog(config(), catalog, lagging);
    twelve_days(&world);
    world.persist_all();
    world
}

#[tokio::test]
async fn a_version_that_the_buffer_let_go_of_is_replaced_by_a_newer_one() {
    let world = lagging(true);
    let rows = world.rows("SELECT * FROM cpu").await;
    assert_eq!(rows, world.model.lock().rows(&[], |_| true));
}

#[tokio::test]
async fn a_catalog_that_stays_behind_does_not_hold_a_query_for_ever() {
    let error = lagging(false).batches("SELECT * FROM cpu").await.expect_err("is too old");
    assert!(matches!(error, Error::Buffer(QueryError::SnapshotTooOld { .. })), "{error:?}");
}
