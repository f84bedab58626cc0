//! `system.parquet_files`: the files of the catalog version that the query reads.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use catalog::{File, FileKind};
use datafusion::common::Result;

use super::{Inside, number, text, time};

pub(super) fn columns() -> Schema {
    Schema::new(vec![
        text("table_name"),
        text("partition_key"),
        text("path"),
        text("kind"),
        number("size_bytes"),
        number("row_count"),
        time("min_time"),
        time("max_time"),
        text("log_id"),
        number("term"),
        number("first_lsn"),
        number("last_lsn"),
        number("catalog_version"),
    ])
}

pub(super) fn rows(inside: &Inside, columns: SchemaRef) -> Result<RecordBatch> {
    let mut places = Vec::new();
    let mut files: Vec<&File> = Vec::new();
    for (table, held) in &inside.view.database.tables {
        for (key, partition) in &held.partitions {
            for file in &partition.files {
                places.push((table.as_str(), key.as_str()));
                files.push(file);
            }
        }
    }
    let texts = |text: &dyn Fn(&File) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(files.iter().map(|file| text(file))))
    };
    let numbers = |number: &dyn Fn(&File) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|file| number(file))))
    };
    let times = |time: &dyn Fn(&File) -> i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(files.iter().map(|file| time(file))))
    };
    let arrays = vec![
        Arc::new(StringArray::from_iter_values(places.iter().map(|(table, _)| *table))) as ArrayRef,
        Arc::new(StringArray::from_iter_values(places.iter().map(|(_, key)| *key))),
        texts(&|file| file.path.clone()),
        texts(&|file| kind(file.kind).to_owned()),
        numbers(&|file| file.bytes),
        numbers(&|file| file.rows),
        times(&|file| file.time_min),
        times(&|file| file.time_max),
        texts(&|file| file.log.to_string()),
        numbers(&|file| file.term.get()),
        numbers(&|file| file.lsns.first().get()),
        numbers(&|file| file.lsns.last().get()),
        numbers(&|file| file.added_at.get()),
    ];
    Ok(RecordBatch::try_new(columns, arrays)?)
}

const fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Parquet => "parquet",
        FileKind::Quarantine => "quarantine",
    }
}
