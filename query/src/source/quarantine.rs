//! A quarantine file as a source: Arrow IPC of rows in the order of their values, not sorted.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use bytes::Bytes;
use catalog::File;
use datafusion::execution::memory_pool::MemoryReservation;
use types::batch::{FieldValue, TagSetBuilder};
use types::name::TIME;
use types::{Batch, BatchBuilder, ColumnKind, ColumnName, FieldType, TableSchema};

use super::Reading;
use super::stored_file::StoredFile;
use crate::error::Error;
use crate::on_pool::on_pool;

/// How a file of the IPC file format begins; the stream format has no such mark.
const FILE_FORMAT_MARK: &[u8] = b"ARROW1";

/// Reads all rows of `file`, with the account of the memory that they occupy.
pub(super) async fn read(
    file: &Arc<File>,
    reading: &Reading,
) -> Result<(Batch, MemoryReservation), Error> {
    let memory = reading.memory_account();
    // The bytes, and the rows that are made of them.
    memory.try_grow(usize::try_from(file.bytes).unwrap_or(usize::MAX / 2) * 2)?;
    let bytes = StoredFile::new(&reading.store, file)?.fetch().await?;
    let schema = Arc::clone(&reading.schema);
    // Decoding goes on when the query is cancelled, and the account with it.
    let decode = move || decode(bytes, &schema).map(|rows| (rows, memory));
    let decoded = on_pool(reading.pool.as_ref(), decode).await?;
    let (rows, memory) = decoded.map_err(|source| Error::Corrupt {
        path: file.path.clone(),
        expected: "Arrow IPC of the table's columns",
        source,
    })?;
    memory.try_resize(usize::try_from(rows.size_bytes()).unwrap_or(usize::MAX))?;
    Ok((rows, memory))
}

fn decode(
    bytes: Bytes,
    schema: &TableSchema,
) -> Result<Batch, Box<dyn std::error::Error + Send + Sync>> {
    let mut rows = BatchBuilder::new();
    let mut add =
        |batch: Result<RecordBatch, ArrowError>| Rows::new(&batch?, schema)?.push(&mut rows);
    if bytes.starts_with(FILE_FORMAT_MARK) {
        for batch in FileReader::try_new(Cursor::new(bytes), None)? {
            add(batch)?;
        }
    } else {
        for batch in StreamReader::try_new(Cursor::new(bytes), None)? {
            add(batch)?;
        }
    }
    Ok(rows.finish())
}

/// The columns of one batch in the types that rows are built of.
struct Rows {
    time: ArrayRef,
    tags: Vec<(ColumnName, ArrayRef)>,
    fields: Vec<(ColumnName, FieldType, ArrayRef)>,
}

impl Rows {
    fn new(batch: &RecordBatch, schema: &TableSchema) -> Result<Self, ArrowError> {
        let time = batch
            .column_by_name(TIME)
            .ok_or_else(|| ArrowError::SchemaError("there is no column time".to_owned()))?;
        let mut rows = Self {
            time: cast(time, &DataType::Timestamp(TimeUnit::Nanosecond, None))?,
            tags: Vec::new(),
            fields: Vec::new(),
        };
        for (name, kind) in schema.columns() {
            let Some(column) = batch.column_by_name(name.as_str()) else {
                continue;
            };
            match kind {
                ColumnKind::Time => {}
                ColumnKind::Tag => rows.tags.push((name.clone(), cast(column, &DataType::Utf8)?)),
                ColumnKind::Field(ty) => {
                    rows.fields.push((name.clone(), ty, cast(column, &ty.arrow())?));
                }
            }
        }
        Ok(rows)
    }

    fn push(
        &self,
        into: &mut BatchBuilder,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let times = self.time.as_primitive::<TimestampNanosecondType>();
        let mut tag_set = TagSetBuilder::default();
        for (row, time) in times.values().iter().enumerate() {
            let tags = self.tags.iter().filter(|(_, column)| column.is_valid(row));
            let tags =
                tags.map(|(name, column)| (name.as_str(), column.as_string::<i32>().value(row)));
            let mut tags: Vec<(&str, &str)> = tags.collect();
            let fields = self.fields.iter().filter(|(_, _, column)| column.is_valid(row));
            let fields: Vec<_> =
                fields.map(|(name, ty, column)| (name, field_value(*ty, column, row))).collect();
            into.push_row(tag_set.build(&mut tags), *time, fields.into_iter())?;
        }
        Ok(())
    }
}

fn field_value(ty: FieldType, column: &ArrayRef, row: usize) -> FieldValue<'_> {
    match ty {
        FieldType::I64 => FieldValue::I64(column.as_primitive::<Int64Type>().value(row)),
        FieldType::U64 => FieldValue::U64(column.as_primitive::<UInt64Type>().value(row)),
        FieldType::F64 => FieldValue::F64(column.as_primitive::<Float64Type>().value(row)),
        FieldType::Bool => FieldValue::Bool(column.as_boolean().value(row)),
        FieldType::Utf8 => FieldValue::Utf8(column.as_string::<i32>().value(row)),
    }
}
