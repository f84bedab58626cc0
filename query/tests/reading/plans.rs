//! What plans show, and what they leave unread.

use types::partition::DAY_NS;

use crate::model::{Columns, Row, Value};
use crate::world::World;

fn rows(times: std::ops::Range<i64>) -> Vec<Row> {
    times.map(|time| Row::at(time).tag("a", &format!("a{time:03}")).int("x", time)).collect()
}

/// Day 0: two files that overlap, two chunks. Day 1: two files that do not. Day 2: a chunk.
fn three_days() -> World {
    let world = World::new();
    for start in [0, 5] {
        world.write(&rows(start..start + 10));
        world.persist_all();
    }
    for start in [DAY_NS, DAY_NS + 100] {
        world.write(&rows(start..start + 10));
        world.persist_all();
    }
    world.write(&rows(0..2));
    world.write(&rows(2 * DAY_NS..2 * DAY_NS + 3));
    world
}

async fn check(sql: &str, shown: &[&str]) {
    let text = three_days().pretty(sql).await;
    for part in shown {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[tokio::test]
async fn explain_shows_files_buffer_and_what_is_merged() {
    let shown = [
        "PartitionScan: table=cpu",
        "columns=[x]",
        "partitions=3 (0 pruned)",
        "files=4 (0 pruned)",
        "buffered partitions=2",
        "merge=1, disjoint=2",
    ];
    check("EXPLAIN SELECT x FROM cpu", &shown).await;
}

#[tokio::test]
async fn a_time_filter_prunes_partitions_and_files() {
    let shown = [
        "partitions=1 (2 pruned)",
        "files=1 (3 pruned)",
        "pruned by [time >= TimestampNanosecond(86400000000050",
    ];
    let sql = "EXPLAIN SELECT x FROM cpu WHERE time >= '1970-01-02T00:00:00.000000050Z' \
               AND time < '1970-01-03'";
    check(sql, &shown).await;
}

#[tokio::test]
async fn a_tag_filter_prunes_row_groups() {
    let shown = ["row_groups=1", "row_groups_pruned=", "files=4", "buffer_rows="];
    let sql = "EXPLAIN ANALYZE SELECT x FROM cpu WHERE a = 'a001'";
    check(sql, &shown).await;
    // Row groups have three rows; of sixteen one has the value.
    let text = three_days().pretty(sql).await;
    assert!(text.contains("row_groups_pruned=15"), "{text}");
}

#[tokio::test]
async fn a_field_filter_prunes_nothing() {
    let shown = ["FilterExec: x@0 = 3", "files=4 (0 pruned)"];
    check("EXPLAIN SELECT x FROM cpu WHERE x = 3", &shown).await;
    let text = three_days().pretty("EXPLAIN SELECT x FROM cpu WHERE x = 3").await;
    assert!(!text.contains("pruned by"), "{text}");
}

#[tokio::test]
async fn analyze_tells_rows_of_the_buffer_from_rows_of_files() {
    let shown = ["buffer_rows=5", "file_rows=40", "files=4", "sources_merged=3", "sources_alone=3"];
    check("EXPLAIN ANALYZE SELECT x FROM cpu", &shown).await;
}

#[tokio::test]
async fn a_limit_counts_points_and_not_versions() {
    let world = World::new();
    let point = |x| Row::at(1).tag("a", "a1").int("x", x);
    world.write(&[point(1), Row::at(2).tag("a", "a1").int("x", 9)]);
    world.persist_all();
    world.write(&[point(2)]);
    let x = |x| Columns::from([("x".to_owned(), Value::Int(x))]);
    assert_eq!(world.rows("SELECT x FROM cpu ORDER BY time LIMIT 2").await, [x(2), x(9)]);
    assert_eq!(world.rows("SELECT x FROM (SELECT * FROM cpu LIMIT 5)").await, [x(2), x(9)]);
}

#[tokio::test]
async fn system_tables_tell_what_is_where() {
    let world = three_days();
    let files = world
        .pretty(
            "SELECT table_name, partition_key, kind, row_count, first_lsn, \
        last_lsn FROM system.parquet_files ORDER BY first_lsn LIMIT 1",
        )
        .await;
    assert!(
        files.contains(
            "| cpu        | 1970-01-01    | parquet | 10        | 1         | 1        |"
        ),
        "{files}"
    );
    let partitions = world
        .pretty(
            "SELECT partition_key, sort_key, files, persisted_rows, \
        buffered_rows FROM system.partitions WHERE buffered_rows > 0 ORDER BY 1",
        )
        .await;
    let expected = [
        "| 1970-01-01    | a, time  | 2     | 20             | 2             |",
        "| 1970-01-03    |          | 0     | 0              | 3             |",
    ];
    assert!(expected.iter().all(|row| partitions.contains(row)), "{partitions}");
    let queries = "SELECT query_text, issue_time FROM system.queries";
    let running = world.pretty(queries).await;
    assert!(running.contains(queries) && running.contains("2013-01-01T06:00:00"), "{running}");
}
