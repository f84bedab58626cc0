//! Tests of Parquet files: read back with the parquet crate's own readers.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{LogicalType, TimeUnit as ParquetTimeUnit};
use parquet::file::metadata::PageIndexPolicy;
use types::{Epoch, FileId, LogId, Lsn, LsnRange};

use super::*;
use crate::fixture::{Row, job_from, tag};
use crate::format::encoder::{Draft, EncodedFile, Encoder, FileEncoder};
use crate::format::provenance::Origin;
use crate::job::PersistJob;
use catalog::FileKind;

const ROW_GROUP_ROWS: usize = 100;

fn encode_job(job: PersistJob, known: SortKey) -> EncodedFile {
    let draft = Draft {
        job: Arc::new(job),
        kind: FileKind::Parquet,
        origin: Origin { log: LogId::from_random(7, 7), epoch: Epoch::new(3) },
        id: FileId::from_random(1, 2),
        known,
        table: None,
    };
    let encoder = FileEncoder { row_group_rows: ROW_GROUP_ROWS };
    encoder.encode(&draft).expect("is encoded")
}

fn builder_of(bytes: &Bytes) -> ParquetRecordBatchReaderBuilder<Bytes> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)
        .expect("a parquet file with page indexes")
}

fn read(bytes: &Bytes) -> RecordBatch {
    let reader = builder_of(bytes).with_batch_size(1 << 20).build().expect("is read");
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("is read")).collect();
    arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one schema")
}

/// Rows of 5 hosts in 2 regions, some points written twice, from two chunks.
fn job() -> PersistJob {
    let row = |at: i64, time: i64| Row {
        tags: vec![("host", format!("h{}", at % 5)), ("region", format!("r{}", at % 2))],
        time,
        x: (at % 3 != 0).then_some(at),
        y: (at % 2 == 0).then_some(at as f64 / 8.0),
    };
    let first: Vec<Row> = (0..400).map(|at| row(at, 1_000 - at)).collect();
    let second: Vec<Row> = (0..200).map(|at| row(at + 1_000, 1_000 - at)).collect();
    job_from(41, &[&first, &second])
}

#[test]
fn a_file_read_back_is_the_merged_batch() {
    let job = job();
    let batches: Vec<Arc<Batch>> = job.batches().map(Arc::clone).collect();
    let file = encode_job(job, SortKey::default());
    let key = SortKey::new(vec![tag("region"), tag("host")]);
    assert_eq!(file.provenance.sort_key, Some(key.clone()));
    let merged = types::batch::merge(&batches, &key).expect("one table");
    assert!(merged.rows() < 600, "some points were written twice");

    let rows = read(&file.bytes);
    let view = merged.to_arrow(&columns::as_queried(&file.provenance.columns)).expect("types");
    assert_eq!(rows.num_rows(), view.num_rows());
    for (at, field) in view.schema().fields().iter().enumerate() {
        let expected = arrow::compute::cast(view.column(at), rows.column(at).data_type());
        assert_eq!(**rows.column(at), *expected.expect("strings"), "{}", field.name());
    }
    let time = rows["time"].as_primitive::<TimestampNanosecondType>();
    let provenance = &file.provenance;
    assert_eq!(arrow::compute::min(time), Some(provenance.time_min));
    assert_eq!(arrow::compute::max(time), Some(provenance.time_max));
    assert_eq!(rows.num_rows() as u64, provenance.rows);
}

#[test]
fn strangers_see_strings_integers_floats_and_time_without_zone() {
    let file = encode_job(job(), SortKey::default());
    let builder = builder_of(&file.bytes);
    let types: Vec<(String, DataType)> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| (field.name().clone(), field.data_type().clone()))
        .collect();
    let expected = [
        ("host", DataType::Utf8),
        ("region", DataType::Utf8),
        ("time", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("x", DataType::Int64),
        ("y", DataType::Float64),
    ];
    assert_eq!(types, expected.map(|(name, data_type)| (name.to_owned(), data_type)));
    let time = builder.parquet_schema().column(2).logical_type_ref().cloned();
    match time {
        Some(LogicalType::Timestamp(timestamp)) => {
            assert!(!timestamp.is_adjusted_to_u_t_c);
            assert_eq!(timestamp.unit, ParquetTimeUnit::NANOS);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_footer_says_how_to_read_less() {
    let file = encode_job(job(), SortKey::default());
    let builder = builder_of(&file.bytes);
    let footer = builder.metadata();
    assert!(footer.num_row_groups() > 1, "row groups are bounded");
    for group in footer.row_groups() {
        assert!(group.num_rows() <= ROW_GROUP_ROWS as i64);
        let sorting = group.sorting_columns().expect("sorted");
        let columns: Vec<i32> = sorting.iter().map(|column| column.column_idx).collect();
        assert_eq!(columns, [1, 0, 2], "region, host, time");
        assert!(sorting.iter().all(|column| column.nulls_first && !column.descending));
        for column in group.columns() {
            assert!(column.statistics().is_some(), "{}", column.column_path());
            assert_eq!(column.compression(), Compression::ZSTD(ZstdLevel::default()));
        }
    }
    assert!(footer.column_index().is_some() && footer.offset_index().is_some());
    let encodings = |at: usize| footer.row_group(0).column(at).encodings().collect::<Vec<_>>();
    assert!(encodings(0).contains(&Encoding::RLE_DICTIONARY));
    assert!(encodings(2).contains(&Encoding::DELTA_BINARY_PACKED));
    assert!(encodings(3).contains(&Encoding::DELTA_BINARY_PACKED));
    assert!(encodings(4).contains(&Encoding::BYTE_STREAM_SPLIT));
}

#[test]
fn a_file_says_all_that_a_catalog_is_rebuilt_from() {
    let job = job();
    let file = encode_job(job.clone(), SortKey::default());
    let provenance = provenance_of(builder_of(&file.bytes).metadata()).expect("ours");
    assert_eq!(provenance, file.provenance);
    let all = LsnRange::new(Lsn::new(41), Lsn::new(60));
    assert_eq!(provenance.lsns, all, "of both chunks");
    assert_eq!(provenance.database, *job.database);
    assert_eq!(provenance.table, *job.table);
    assert_eq!(provenance.partition, job.key);
    assert_eq!((provenance.log, provenance.epoch), (LogId::from_random(7, 7), Epoch::new(3)));
    assert!(file.path.as_ref().ends_with(&format!("-{}.parquet", provenance.file)));
    let kinds: Vec<String> = provenance
        .columns
        .iter()
        .map(|column| format!("{}: {}", column.name, column.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            "host: tag",
            "region: tag",
            "time: time",
            "x: field of type integer",
            "y: field of type float"
        ]
    );
}

#[test]
fn files_of_others_and_of_later_versions_are_not_ours() {
    let other = |pairs: &'static [(&str, &str)]| {
        Provenance::from_pairs(|key| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| *value)
        })
        .expect_err("not ours")
        .to_string()
    };
    assert!(other(&[]).contains("forebay.version"));
    assert!(other(&[("forebay.version", "2"), ("forebay.file", "{}")]).contains("\"2\""));
    assert!(other(&[("forebay.version", "1")]).contains("forebay.file"));
}

#[test]
fn names_with_dots_and_rows_without_tags_are_no_special_case() {
    let row = |at: i64| Row {
        tags: if at % 2 == 0 { vec![] } else { vec![("a.b", at.to_string())] },
        time: at,
        x: Some(at),
        y: None,
    };
    let rows: Vec<Row> = (0..10).map(row).collect();
    let file = encode_job(job_from(1, &[&rows]), SortKey::new(vec![tag("gone")]));
    let read = read(&file.bytes);
    let tags = read["a.b"].as_string::<i32>();
    assert_eq!(tags.null_count(), 5);
    assert!((0..5).all(|row| tags.is_null(row)), "nulls first");
    assert_eq!(read["x"].as_primitive::<Int64Type>().value(1), 2);
    assert!(read.column_by_name("y").is_none(), "no row has it");
    assert!(read.column_by_name("gone").is_none(), "no row has it");
    let footer = builder_of(&file.bytes);
    let sorting = footer.metadata().row_group(0).sorting_columns().cloned();
    assert_eq!(sorting.expect("sorted").len(), 2, "a.b and time");
    assert!(read.schema().field_with_name("time").is_ok_and(|field| !field.is_nullable()));
}
