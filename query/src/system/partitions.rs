//! `system.partitions`: what of each partition is in files and what is in the buffer.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use catalog::Table;
use datafusion::common::Result;
use types::{PartitionId, PartitionKey};

use super::{Inside, number, text};
use crate::error::Error;

pub(super) fn columns() -> Schema {
    Schema::new(vec![
        text("table_name"),
        text("partition_key"),
        text("partition_id"),
        text("sort_key"),
        number("files"),
        number("persisted_rows"),
        number("persisted_bytes"),
        number("buffered_rows"),
        number("buffered_bytes"),
    ])
}

/// One row of the table.
struct Row {
    table: String,
    key: PartitionKey,
    id: PartitionId,
    sort_key: String,
    files: u64,
    persisted_rows: u64,
    persisted_bytes: u64,
    buffered_rows: u64,
    buffered_bytes: u64,
}

pub(super) fn rows(inside: &Inside, columns: SchemaRef) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for table in inside.view.database.tables.values() {
        rows.extend(partitions_of(inside, table)?);
    }
    let texts = |text: &dyn Fn(&Row) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(text)))
    };
    let numbers = |number: &dyn Fn(&Row) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(number)))
    };
    let arrays = vec![
        texts(&|row| row.table.clone()),
        texts(&|row| row.key.to_string()),
        texts(&|row| row.id.to_string()),
        texts(&|row| row.sort_key.clone()),
        numbers(&|row| row.files),
        numbers(&|row| row.persisted_rows),
        numbers(&|row| row.persisted_bytes),
        numbers(&|row| row.buffered_rows),
        numbers(&|row| row.buffered_bytes),
    ];
    Ok(RecordBatch::try_new(columns, arrays)?)
}

/// The partitions of `table` that have files or rows in the buffer, in key order.
fn partitions_of(inside: &Inside, table: &Table) -> Result<impl Iterator<Item = Row>, Error> {
    let mut rows: BTreeMap<PartitionKey, Row> = BTreeMap::new();
    for (key, partition) in &table.partitions {
        let row = Row {
            sort_key: partition.sort_key.to_string(),
            files: partition.files.len() as u64,
            persisted_rows: partition.files.iter().map(|file| file.rows).sum(),
            persisted_bytes: partition.files.iter().map(|file| file.bytes).sum(),
            ..Row::new(table, key, partition.id)
        };
        rows.insert(key.clone(), row);
    }
    let reader = inside.view.reader.open(table.schema.table.id);
    for buffered in reader.partitions() {
        let partition = table.partitions.get(&buffered.key);
        let in_files = partition.into_iter().flat_map(|held| held.lsns_of(inside.view.log));
        let in_files: Vec<_> = in_files.map(|(_, lsns)| lsns).collect();
        let row = rows
            .entry(buffered.key.clone())
            .or_insert_with(|| Row::new(table, &buffered.key, buffered.id));
        for chunk in reader.take(buffered.id, &in_files).map_err(Error::from)? {
            row.buffered_rows += chunk.batch.rows() as u64;
            row.buffered_bytes += chunk.batch.size_bytes();
        }
    }
    Ok(rows.into_values())
}

impl Row {
    /// A partition of which nothing else is known yet.
    fn new(table: &Table, key: &PartitionKey, id: PartitionId) -> Self {
        Self {
            table: table.schema.table.name.to_string(),
            key: key.clone(),
            id,
            sort_key: String::new(),
            files: 0,
            persisted_rows: 0,
            persisted_bytes: 0,
            buffered_rows: 0,
            buffered_bytes: 0,
        }
    }
}
