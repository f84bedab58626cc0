//! Permits, time, memory and positions; and faults that stay in their query.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt;
use query::{Config, Error, Request};
use types::batch::{BatchBuilder, FieldValue, TagSetBuilder};
use types::partition::DAY_NS;
use types::seam::{QueryError, QueryExec};
use types::{ColumnName, Epoch, ErrorKind, Lsn, MemoryOwner, PartitionKey, Position};

use crate::model::Row;
use crate::world::{MIB, World, collect, config, database};

/// More batches than are read ahead: one a partition.
fn many_days(config: Config) -> World {
    let world = World::with(config);
    for day in 0..50 {
        world.write(&[Row::at(day * DAY_NS).tag("a", "a1").int("x", day)]);
    }
    world
}

fn one_at_a_time() -> Config {
    Config { queries_max: NonZeroUsize::MIN, ..config() }
}

const ALL: &str = "SELECT * FROM cpu";

#[tokio::test]
async fn a_permit_is_held_until_the_answer_was_read() {
    let world = many_days(one_at_a_time());
    let mut answer = world.ask(ALL).await.expect("is the first");
    answer.stream.next().await.expect("is there").expect("is good");
    let error = world.batches(ALL).await.expect_err("is the second");
    assert!(matches!(error, Error::TooManyQueries { limit: 1, .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.retry_after().is_some());
    collect(answer).await.expect("is good");
    world.batches(ALL).await.expect("the first is over");
}

#[tokio::test]
async fn z13_the_twenty_first_query_is_refused_while_twenty_streams_are_open() {
    let twenty = NonZeroUsize::new(20).expect("is not zero");
    let world = many_days(Config { queries_max: twenty, ..config() });
    let mut answers = Vec::new();
    for _ in 0..twenty.get() {
        let mut answer = world.ask(ALL).await.expect("has a permit");
        answer.stream.next().await.expect("is there").expect("is good");
        answers.push(answer);
    }
    let error = world.batches(ALL).await.expect_err("is the twenty-first");
    assert!(matches!(error, Error::TooManyQueries { limit: 20, .. }), "{error:?}");
    collect(answers.remove(0)).await.expect("is good");
    world.batches(ALL).await.expect("one of them is over");
}

/// Asks until a permit is free; the runtime has only this test's tasks to run meanwhile.
async fn ask_until_admitted(world: &World) {
    for _ in 0..1_000 {
        match world.batches(ALL).await {
            Err(Error::TooManyQueries { .. }) => tokio::task::yield_now().await,
            other => {
                other.expect("is good");
                return;
            }
        }
    }
    panic!("no permit was given back");
}

#[tokio::test]
async fn an_answer_that_is_dropped_gives_all_back() {
    let world = many_days(one_at_a_time());
    let answer = world.ask(ALL).await.expect("is the first");
    drop(answer);
    ask_until_admitted(&world).await;
    assert_eq!(world.buffer.readers(), 0);
}

#[tokio::test]
async fn a_query_that_fails_gives_its_permit_back() {
    let world = many_days(one_at_a_time());
    world.batches("SELECT nothing FROM cpu").await.expect_err("there is no such column");
    world.batches(ALL).await.expect("the first is over");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_is_cut_at_the_deadline() {
    let timeout = Duration::from_secs(300);
    let world = many_days(Config { query_timeout: timeout, ..one_at_a_time() });
    let mut answer = world.ask(ALL).await.expect("is the first");
    answer.stream.next().await.expect("is there").expect("is good");
    tokio::time::advance(timeout).await;
    // Nobody read on, and still permit and readers are free.
    ask_until_admitted(&world).await;
    assert_eq!(world.buffer.readers(), 0);
    let error = collect(answer).await.expect_err("the time is over");
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_query_that_only_computes_is_ended_in_time_too() {
    let world = World::with(Config { query_timeout: Duration::from_millis(50), ..config() });
    world.write(&[Row::at(1).int("x", 1)]);
    let sql = "SELECT * FROM generate_series(1, 1000000000000) OFFSET 999999999999";
    let answered = tokio::time::timeout(Duration::from_secs(60), world.batches(sql)).await;
    let error = answered.expect("the deadline was missed").expect_err("it has days to compute");
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_position_is_waited_for_but_not_for_ever() {
    let world = many_days(config());
    let (log, epoch) = world.buffer.log();
    let ask = async |lsn| {
        let position = Position { log, epoch, lsn };
        let request = Request {
            database: database(),
            sql: ALL.to_owned(),
            params: BTreeMap::new(),
            position: Some(position),
        };
        collect(world.engine.query(request).await?).await
    };
    ask(Lsn::new(50)).await.expect("is published");
    let error = ask(Lsn::new(51)).await.expect_err("is not");
    assert!(matches!(error, Error::Buffer(QueryError::PositionNotReached { .. })), "{error:?}");
    assert_eq!(epoch, Epoch::new(1));
}

#[tokio::test]
async fn a_query_that_needs_more_memory_than_there_is_fails_and_gives_all_back() {
    let world = many_days(Config { memory_limit_bytes: 4_096, ..config() });
    let rows: Vec<Row> = (0..1_000).map(|time| Row::at(time).int("x", time)).collect();
    world.write(&rows);
    let error = world.batches(ALL).await.expect_err("there is too little memory");
    assert!(matches!(error, Error::OutOfMemory(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Busy);
    // A sort that was under way when the query failed gives back when it ends.
    while world.engine.deps().memory.used_by(MemoryOwner::Query) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_ends_its_query_and_no_other() {
    let world = many_days(one_at_a_time());
    world.buffer.at_turn(|_| panic!("the test asked for it"));
    let error = world.batches(ALL).await.expect_err("it panics");
    assert!(matches!(error, Error::Fault { .. }), "{error:?}");
    assert!(error.to_string().contains("the test asked for it"), "{error}");
    world.buffer.at_turn(|_| {});
    world.batches(ALL).await.expect("the fault stayed small");
    assert_eq!(world.buffer.readers(), 0);
}

/// Far more rows than are handed out at a time: those who sort them account for each batch.
#[tokio::test]
async fn many_rows_are_sorted_within_a_bounded_memory() {
    const ROWS: i64 = 300_000;
    let world = World::with(Config { memory_limit_bytes: 96 * MIB, ..config() });
    world.write(&[Row::at(ROWS).tag("a", "a0").int("x", 0)]);
    let x = ColumnName::new("x").expect("a good name");
    let mut builder = BatchBuilder::new();
    let mut tag_set = TagSetBuilder::default();
    for time in 0..ROWS {
        let value = format!("a{}", time % 100);
        let tags = tag_set.build(&mut [("a", value.as_str())]);
        builder.push_row(tags, time, [(&x, FieldValue::I64(time))].into_iter()).expect("fits");
    }
    world.publish(&PartitionKey::of_time(0), builder.finish(), false);
    let batches = world.batches("SELECT * FROM cpu ORDER BY time").await;
    let batches = batches.expect("there is memory enough");
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows as i64, ROWS + 1);
}
