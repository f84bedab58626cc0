//! Rows out of batches, JSON and files.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use arrow::ipc::writer::FileWriter;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::read::{CatalogFile, FileFault, Kind, Stored, catalog, directory, files, json, sql};

type Points<'a> = &'a [(&'a str, i64, Option<i64>, Option<i64>)];

fn batch(points: Points<'_>) -> RecordBatch {
    let series: DictionaryArray<Int32Type> = points.iter().map(|point| point.0).collect();
    let times: TimestampNanosecondArray =
        points.iter().map(|point| point.1).collect::<Vec<i64>>().into();
    let a: Int64Array = points.iter().map(|point| point.2).collect();
    let b: Int64Array = points.iter().map(|point| point.3).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("a", Arc::new(a)),
        ("b", Arc::new(b)),
        ("series", Arc::new(series)),
        ("time", Arc::new(times)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

#[test]
fn batches_are_rows_without_nulls() {
    let rows = sql("t", &[batch(&[("s", 1, Some(1), None), ("r", 2, None, Some(2))])]);
    let wanted = [row("s", 1, &[("a", 1)]), row("r", 2, &[("b", 2)])];
    assert_eq!(rows.expect("rows"), wanted);
}

#[test]
fn batches_that_are_no_rows_are_refused() {
    let float: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let time: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for columns in [vec![("a", Arc::clone(&float))], vec![("a", float), ("time", time)]] {
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        assert!(sql("t", &[batch]).is_err());
    }
}

#[test]
fn json_is_rows_too() {
    let objects = serde_json::json!([
        { "series": "s", "time": "1970-01-01T00:00:00.000000001", "a": 1, "b": null },
        { "time": 2, "b": 2 },
    ]);
    let objects = objects.as_array().expect("an array");
    let wanted = [row("s", 1, &[("a", 1)]), row("", 2, &[("b", 2)])];
    assert_eq!(json("t", objects).expect("rows"), wanted);
    assert!(json("t", &[serde_json::json!({ "a": 1 })]).is_err());
    assert!(json("t", &[serde_json::json!({ "time": 1, "a": "text" })]).is_err());
}

#[test]
fn rows_are_lines() {
    let mut odd = row("s =", 7, &[("a", 1), ("b,", -2)]);
    odd.table = "t x".to_owned();
    let lines = crate::line_protocol(&[point(3), odd]);
    assert_eq!(lines, "t,series=s a=3i 0\nt\\ x,series=s\\ \\= a=1i,b\\,=-2i 7\n");
}

#[test]
fn the_catalogs_answer_is_files() {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let number = |number: u64| -> ArrayRef { Arc::new(UInt64Array::from(vec![number])) };
    let columns = vec![
        ("table_name", text("t")),
        ("partition_key", text("1970-01-01")),
        ("path", text("data/x")),
        ("kind", text("quarantine")),
        ("size_bytes", number(1)),
        ("row_count", number(2)),
        ("log_id", text("l")),
        ("term", number(0)),
        ("first_lsn", number(3)),
        ("last_lsn", number(4)),
    ];
    let batch = RecordBatch::try_from_iter(columns.clone()).expect("columns of one length");
    let found = catalog(&[batch]).expect("files");
    let wanted = CatalogFile {
        table_name: "t".to_owned(),
        partition_key: "1970-01-01".to_owned(),
        path: "data/x".to_owned(),
        kind: Kind::Quarantine,
        size_bytes: 1,
        row_count: 2,
        log_id: "l".to_owned(),
        term: 0,
        first_lsn: 3,
        last_lsn: 4,
    };
    assert_eq!(found, [wanted]);
    let batch = RecordBatch::try_from_iter(columns[1..].to_vec()).expect("columns of one length");
    assert!(catalog(&[batch]).is_err());
}

/// A store with files of the partition of one day.
struct Day {
    store: Arc<dyn ObjectStore>,
    files: Vec<CatalogFile>,
}

impl Day {
    fn new() -> Self {
        Self { store: Arc::new(InMemory::new()), files: vec![] }
    }

    /// Adds a file with the LSNs `first` to `last`.
    async fn with(mut self, kind: Kind, first: u64, last: u64, points: Points<'_>) -> Self {
        let batch = batch(points);
        let bytes = match kind {
            Kind::Parquet => parquet(&batch),
            Kind::Quarantine => arrow(&batch),
        };
        let path = format!("data/{}", self.files.len());
        self.files.push(CatalogFile {
            table_name: "t".to_owned(),
            partition_key: "1970-01-01".to_owned(),
            path: path.clone(),
            kind,
            size_bytes: bytes.len() as u64,
            row_count: batch.num_rows() as u64,
            log_id: "l".to_owned(),
            term: 0,
            first_lsn: first,
            last_lsn: last,
        });
        self.store.put(&Path::from(path), bytes.into()).await.expect("is stored");
        self
    }

    async fn read(&self) -> Stored {
        files(&*self.store, &self.files).await.expect("the store answers")
    }
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(batch).expect("is written");
    writer.into_inner().expect("is finished")
}

fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    writer.write(batch).expect("is written");
    writer.into_inner().expect("is finished")
}

#[tokio::test]
async fn of_files_the_newest_value_of_each_field_counts() {
    let day = Day::new()
        .with(Kind::Parquet, 7, 9, &[("s", 1, None, Some(6))])
        .await
        .with(Kind::Quarantine, 4, 6, &[("s", 1, Some(3), None), ("s", 1, Some(4), None)])
        .await
        .with(Kind::Parquet, 1, 3, &[("r", 1, Some(9), None), ("s", 1, Some(1), Some(2))])
        .await;
    let stored = day.read().await;
    assert_eq!((stored.faults, stored.repeated), (vec![], vec![]));
    let wanted = [row("r", 1, &[("a", 9)]), row("s", 1, &[("a", 4), ("b", 6)])];
    assert_eq!(stored.tables["t"].rows, wanted);
}

#[tokio::test]
async fn values_in_two_files_are_told() {
    let day = Day::new()
        .with(Kind::Parquet, 1, 3, &[("s", 1, Some(1), None), ("r", 1, Some(7), None)])
        .await
        .with(Kind::Parquet, 4, 4, &[("s", 1, Some(2), None)])
        .await
        .with(Kind::Parquet, 5, 6, &[("s", 1, Some(1), None), ("r", 1, Some(8), None)])
        .await;
    let stored = day.read().await;
    let [(place, 1)] = stored.repeated.as_slice() else { panic!("{:?}", stored.repeated) };
    assert_eq!((place.series.as_str(), place.field.as_deref()), ("s", Some("a")));
    assert!(stored.faults.is_empty(), "{:?}", stored.faults);

    let ledger = Ledger::in_memory();
    acked(&ledger, vec![row("s", 1, &[("a", 1)])]);
    assert_eq!(ledger.judge_repeated(&stored.repeated).double(), 1);
    acked(&ledger, vec![row("s", 1, &[("a", 1)])]);
    assert_clean(&ledger.judge_repeated(&stored.repeated));
}

#[tokio::test]
async fn files_that_overlap_are_told() {
    let one: Points<'_> = &[("s", 1, Some(1), None)];
    let two: Points<'_> = &[("s", 2, Some(2), None)];
    let three: Points<'_> = &[("s", 3, Some(3), None)];
    let day = Day::new()
        .with(Kind::Parquet, 1, 9, one)
        .await
        .with(Kind::Parquet, 2, 3, two)
        .await
        .with(Kind::Parquet, 9, 12, three)
        .await;
    let overlap =
        |other: &str| FileFault::Overlap { path: "data/0".to_owned(), other: other.to_owned() };
    assert_eq!(day.read().await.faults, [overlap("data/1"), overlap("data/2")]);
}

#[tokio::test]
async fn files_that_are_not_what_the_catalog_tells_are_told() {
    let mut day = Day::new();
    for lsn in 1..=5 {
        day = day.with(Kind::Parquet, lsn, lsn, &[("s", 1, Some(1), None)]).await;
    }
    let point = ("s", 1, Some(6), None);
    day = day.with(Kind::Parquet, 6, 6, &[point, point]).await;
    let name = |number: usize| format!("data/{number}");
    day.store.delete(&Path::from(name(0))).await.expect("is deleted");
    day.files[1].size_bytes += 1;
    day.files[2].row_count += 1;
    let length = day.files[3].size_bytes as usize;
    let zeros = vec![0_u8; length];
    day.store.put(&Path::from(name(3)), zeros.into()).await.expect("is stored");
    let stored = day.read().await;
    let told: Vec<String> = stored.faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(told[0], "data/0 is missing");
    assert_eq!(told[1], format!("data/1 has {length} bytes instead of {}", length + 1));
    assert_eq!(told[2], "data/2 has 1 rows instead of 2");
    assert!(told[3].starts_with("data/3 cannot be read: "), "{}", told[3]);
    assert_eq!(told[4], "data/5 has t,series=s at 1 twice");
}

#[tokio::test]
async fn a_directory_is_a_store() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let bytes = parquet(&batch(&[("s", 1, Some(1), None)]));
    std::fs::create_dir(dir.path().join("data")).expect("is made");
    std::fs::write(dir.path().join("data/0"), bytes).expect("is written");
    let day = Day::new().with(Kind::Parquet, 1, 1, &[("s", 1, Some(1), None)]).await;
    let store = directory(dir.path()).expect("a directory");
    let stored = files(&*store, &day.files).await.expect("the store answers");
    assert_eq!(stored.tables["t"].rows, [row("s", 1, &[("a", 1)])]);
    assert!(directory(&dir.path().join("none")).is_err());
}
