//! The merge alone, against a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, Schema, SchemaRef, TimestampNanosecondType};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use futures::{StreamExt, TryStreamExt, stream};
use proptest::option;
use types::batch::{self, FieldValue, TagSetBuilder};
use types::schema::arrow_field;
use types::{BatchBuilder, ColumnKind, ColumnName, FieldType, SortKey};

use super::*;

/// Host, time, x, y.
type Row = (u8, i64, Option<i64>, Option<i64>);

fn name(text: &str) -> ColumnName {
    ColumnName::new(text).expect("a good name")
}

fn output(columns: &[&str]) -> SchemaRef {
    let field = |column: &&str| match *column {
        "host" => arrow_field(&name("host"), ColumnKind::Tag),
        "time" => arrow_field(&name("time"), ColumnKind::Time),
        other => arrow_field(&name(other), ColumnKind::Field(FieldType::I64)),
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Rows as a sorted source with batches of `batch_rows` rows, one of them empty.
fn source(rows: &[Row], key: &SortKey, columns: &SchemaRef, batch_rows: usize) -> BatchStream {
    let mut builder = BatchBuilder::new();
    let mut tags = TagSetBuilder::default();
    let (x_name, y_name) = (name("x"), name("y"));
    for (host, time, x, y) in rows {
        let host = if *host == 0 { String::new() } else { format!("h{host}") };
        let fields = [(&x_name, x), (&y_name, y)];
        let fields =
            fields.into_iter().filter_map(|(name, value)| Some((name, FieldValue::I64((*value)?))));
        let fields: Vec<_> = fields.collect();
        let tags = tags.build(&mut [("host", &host)]);
        builder.push_row(tags, *time, fields.into_iter()).expect("one type");
    }
    let sorted = batch::merge(&[Arc::new(builder.finish())], key).expect("one table");
    let all = sorted.to_arrow(columns).expect("its columns");
    let starts = (0..all.num_rows()).step_by(batch_rows);
    let slices = starts.map(|start| Ok(all.slice(start, batch_rows.min(all.num_rows() - start))));
    let mut batches: Vec<Result<RecordBatch, Error>> = slices.collect();
    batches.insert(batches.len() / 2, Ok(RecordBatch::new_empty(Arc::clone(columns))));
    stream::iter(batches).boxed()
}

async fn merged(sources: &[Vec<Row>], columns: &[&str], batch_rows: usize) -> Vec<RecordBatch> {
    let key = SortKey::new(vec![name("host")]);
    let columns = KeyColumns::new(&output(columns), &key);
    let sources = sources.iter().map(|rows| source(rows, &key, columns.read(), batch_rows));
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let memory = MemoryConsumer::new("test").register(&pool);
    let merged = merge(sources.collect(), &columns, memory).expect("tags can be ordered");
    merged.try_collect().await.expect("the sources have no error")
}

type Point = (Option<String>, i64);
type Values = (Option<i64>, Option<i64>);

fn check(sources: &[Vec<Row>], batch_rows: usize) {
    let mut model: BTreeMap<Point, Values> = BTreeMap::new();
    for (host, time, x, y) in sources.iter().flatten() {
        let host = (*host > 0).then(|| format!("h{host}"));
        let point = model.entry((host, *time)).or_default();
        *point = (x.or(point.0), y.or(point.1));
    }
    let batches =
        futures::executor::block_on(merged(sources, &["y", "host", "time", "x"], batch_rows));
    let mut points = Vec::new();
    for batch in &batches {
        let hosts = arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Utf8);
        let hosts = hosts.expect("text");
        for row in 0..batch.num_rows() {
            let host = hosts.as_string::<i32>();
            let host = host.is_valid(row).then(|| host.value(row).to_owned());
            let time = batch.column(2).as_primitive::<TimestampNanosecondType>().value(row);
            let field = |at: usize| {
                let column = batch.column(at).as_primitive::<Int64Type>();
                column.is_valid(row).then(|| column.value(row))
            };
            points.push(((host, time), (field(3), field(0))));
        }
    }
    assert_eq!(points, model.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_newest_value_that_is_not_null_wins_field_by_field() {
    let oldest = vec![(1, 1, Some(1), Some(1)), (2, 1, Some(5), None)];
    let middle = vec![(1, 1, Some(2), None)];
    let newest = vec![(1, 1, None, Some(3)), (0, 9, None, None)];
    check(&[oldest, middle, newest], 2);
}

#[test]
fn sources_may_be_empty() {
    check(&[vec![], vec![(1, 1, Some(1), None)], vec![]], 1);
    check(&[vec![], vec![]], 1);
}

#[test]
fn more_points_than_a_batch_holds_come_in_several() {
    let rows = |from: i64| (from..from + 10_000).map(|time| (1, time, Some(time), None)).collect();
    check(&[rows(0), rows(5_000)], 3_000);
}

#[test]
fn without_columns_points_are_counted() {
    let sources = [vec![(1, 1, None, None), (1, 2, None, None)], vec![(1, 2, None, None)]];
    let batches = futures::executor::block_on(merged(&sources, &[], 1));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    assert!(batches.iter().all(|batch| batch.num_columns() == 0));
}

proptest::proptest! {
    #[test]
    fn any_sources_agree_with_the_map(
        sources in proptest::collection::vec(
            proptest::collection::vec(
                (0_u8..4, -3_i64..4, option::of(0_i64..9), option::of(0_i64..9)),
                0..20),
            1..5),
        batch_rows in 1_usize..7,
    ) {
        check(&sources, batch_rows);
    }
}
