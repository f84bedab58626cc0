//! A Parquet file as a source: the columns that are asked for, in the types of the table.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, SchemaRef};
use arrow::error::ArrowError;
use catalog::File;
use futures::StreamExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;

use super::stored_file::StoredFile;
use super::{BATCH_ROWS, BatchStream, Reading};
use crate::error::Error;

/// Opens `file` and reads `columns` of the row groups that may hold what the query wants.
pub(super) async fn open(
    file: &Arc<File>,
    reading: &Reading,
    columns: &SchemaRef,
) -> Result<BatchStream, Error> {
    let mut stored = StoredFile::new(&reading.store, file)?;
    let metadata = ArrowReaderMetadata::load_async(&mut stored, ArrowReaderOptions::new()).await;
    let metadata = metadata.map_err(|error| unreadable(file, error))?;
    let row_groups = reading.predicate.row_groups(&metadata);
    reading.metrics.count_row_groups(&metadata, &row_groups);
    let mask = mask(&metadata, columns);
    let memory = reading.memory_account();
    memory.try_grow(largest_row_group_bytes(&metadata, &row_groups, &mask))?;
    let batches = ParquetRecordBatchStreamBuilder::new_with_metadata(stored, metadata)
        .with_projection(mask)
        .with_row_groups(row_groups)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| unreadable(file, error))?;
    let (file, columns) = (Arc::clone(file), Arc::clone(columns));
    let file_rows = reading.metrics.file_rows.clone();
    let batches = batches.map(move |batch| {
        // The account lives as long as the stream that may hold a row group.
        let _held = &memory;
        let batch = batch.map_err(|error| unreadable(&file, error))?;
        file_rows.add(batch.num_rows());
        adapt(&batch, &columns).map_err(|error| unreadable(&file, error.into()))
    });
    Ok(batches.boxed())
}

fn mask(metadata: &ArrowReaderMetadata, columns: &SchemaRef) -> ProjectionMask {
    let roots = metadata.schema().fields().iter().enumerate();
    let wanted = roots.filter(|(_, field)| columns.column_with_name(field.name()).is_some());
    ProjectionMask::roots(metadata.parquet_schema(), wanted.map(|(at, _)| at))
}

/// The bytes of the projected columns of the largest of `row_groups`: the reader holds one at once.
fn largest_row_group_bytes(
    metadata: &ArrowReaderMetadata,
    row_groups: &[usize],
    mask: &ProjectionMask,
) -> usize {
    let bytes = row_groups.iter().map(|at| {
        let columns = metadata.metadata().row_group(*at).columns().iter();
        let projected = columns.enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes: i64 = projected.map(|(_, column)| column.compressed_size()).sum();
        usize::try_from(bytes).unwrap_or(0)
    });
    bytes.max().unwrap_or(0)
}

/// The columns of the table out of those of a file: nulls for what the file lacks, dictionaries
/// for tags that it has as text.
fn adapt(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast(column, field.data_type()),
    };
    let adapted: Result<Vec<_>, _> = columns.fields().iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(columns), adapted?, &options)
}

fn unreadable(file: &File, error: ParquetError) -> Error {
    let path = file.path.clone();
    match error {
        ParquetError::External(source) => Error::Fetch { path, source },
        other => Error::Corrupt {
            path,
            expected: "sorted Parquet of the table's columns",
            source: Box::new(other),
        },
    }
}
