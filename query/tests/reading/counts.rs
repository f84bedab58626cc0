//! `count(*)`: from counts alone where no two sources can share a point, else from keys.

use types::PartitionKey;
use types::batch::{BatchBuilder, TagSetBuilder};

use crate::model::{Columns, Row, Value};
use crate::world::{Form, World, batch_of};

const COUNT: &str = "SELECT count(*) AS n FROM cpu";

async fn check(world: &World, expected: i64, shown: &[&str]) {
    let counted = Columns::from([("n".to_owned(), Value::Int(expected))]);
    assert_eq!(world.rows(COUNT).await, [counted]);
    let analyzed = world.pretty(&format!("EXPLAIN ANALYZE {COUNT}")).await;
    for metric in shown {
        assert!(analyzed.contains(metric), "{metric} in\n{analyzed}");
    }
}

fn day(times: std::ops::Range<i64>) -> Vec<Row> {
    times.map(|time| Row::at(time).tag("a", "a1").int("x", time)).collect()
}

#[tokio::test]
async fn files_without_common_times_are_counted_without_being_opened() {
    let world = World::new();
    for start in [0, 10, 20] {
        world.write(&day(start..start + 10));
        world.persist_all();
    }
    let shown = ["files=3", "row_groups=0", "sources_alone=3", "sources_merged=0"];
    check(&world, 30, &shown).await;
}

#[tokio::test]
async fn files_with_common_times_are_counted_by_their_keys() {
    let world = World::new();
    for start in [0, 5] {
        world.write(&day(start..start + 10));
        world.persist_all();
    }
    check(&world, 15, &["files=2", "sources_merged=2", "file_rows=20"]).await;
}

#[tokio::test]
async fn the_buffer_is_counted_after_deduplication() {
    let world = World::new();
    world.write(&day(0..10));
    world.write(&day(5..15));
    check(&world, 15, &["buffer_rows=20", "sources_alone=1"]).await;
}

#[tokio::test]
async fn a_chunk_and_a_file_with_common_times_are_counted_by_their_keys() {
    let world = World::new();
    world.write(&day(0..10));
    world.persist_all();
    world.write(&day(9..12));
    check(&world, 12, &["buffer_rows=3", "file_rows=10", "sources_merged=2"]).await;
}

#[tokio::test]
async fn quarantined_rows_are_counted_after_deduplication() {
    let world = World::new();
    world.write(&day(0..10));
    world.write(&day(5..15));
    let key = PartitionKey::of_time(0);
    assert!(world.persist(&key, 0, 2, Form::QuarantineStream));
    check(&world, 15, &["files=1", "file_rows=20", "buffer_rows=0"]).await;
}

#[tokio::test]
async fn a_table_without_rows_has_none() {
    let world = World::new();
    world.write(&day(0..1));
    let counted = Columns::from([("n".to_owned(), Value::Int(0))]);
    let none = "SELECT count(*) AS n FROM cpu WHERE time < '1970-01-01'";
    assert_eq!(world.rows(none).await, [counted]);
}

#[tokio::test]
async fn a_million_batches_of_one_row_are_counted() {
    const CHUNKS: i64 = 100;
    const ROWS: i64 = 10_000;
    let world = World::new();
    world.write(&day(0..1));
    let key = PartitionKey::of_time(0);
    let hosts: Vec<_> =
        (0..100).map(|host| batch_of(&[&Row::at(0).tag("a", &format!("a{host}"))])).collect();
    for chunk in 0..CHUNKS {
        let mut merged = BatchBuilder::new();
        for row in 0..ROWS / 100 {
            let mut tags = TagSetBuilder::default();
            for one_row in &hosts {
                let set = one_row.series().get(0);
                let mut set: Vec<_> = set.iter().collect();
                let time = 1 + chunk * ROWS + row;
                let pushed = merged.push_row(tags.build(&mut set), time, std::iter::empty());
                pushed.expect("has no field");
            }
        }
        world.publish(&key, merged.finish(), false);
    }
    check(&world, 1 + CHUNKS * ROWS, &["buffer_rows=1.00 M"]).await;
}
