//! The files of one catalog version, and where they are.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde::Deserialize;

use super::Error;
use super::arrow_rows::texts;

/// What tells the files of a database, for [`catalog`].
pub const CATALOG_SQL: &str = "SELECT table_name, partition_key, path, kind, size_bytes, row_count, \
     log_id, term, first_lsn, last_lsn FROM system.parquet_files";

/// A row of `system.parquet_files`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CatalogFile {
    /// The table.
    pub table_name: String,
    /// The partition.
    pub partition_key: String,
    /// The object.
    pub path: String,
    /// The format.
    pub kind: Kind,
    /// Its length.
    pub size_bytes: u64,
    /// Its rows.
    pub row_count: u64,
    /// The log that its rows were in.
    pub log_id: String,
    /// The term.
    pub term: u64,
    /// The first LSN that it holds.
    pub first_lsn: u64,
    /// The last LSN that it holds.
    pub last_lsn: u64,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Parquet: sorted, each point once.
    Parquet,
    /// Arrow IPC: the rows of a job that was set aside, in the order in which they were written.
    Quarantine,
}

/// The files that the answer to [`CATALOG_SQL`] names.
///
/// # Errors
///
/// [`Error::Shape`] and [`Error::Arrow`] for another answer.
pub fn catalog(batches: &[RecordBatch]) -> Result<Vec<CatalogFile>, Error> {
    let mut files = Vec::new();
    for batch in batches {
        append(batch, &mut files)?;
    }
    Ok(files)
}

fn append(batch: &RecordBatch, files: &mut Vec<CatalogFile>) -> Result<(), Error> {
    let text = |name: &str| -> Result<StringArray, Error> { texts(column(batch, name)?) };
    let number = |name: &str| -> Result<UInt64Array, Error> {
        Ok(cast(column(batch, name)?, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
    };
    let (tables, keys) = (text("table_name")?, text("partition_key")?);
    let (paths, kinds, logs) = (text("path")?, text("kind")?, text("log_id")?);
    let (sizes, rows, terms) = (number("size_bytes")?, number("row_count")?, number("term")?);
    let (firsts, lasts) = (number("first_lsn")?, number("last_lsn")?);
    let of = |texts: &StringArray, at: usize| texts.value(at).to_owned();
    for at in 0..batch.num_rows() {
        files.push(CatalogFile {
            table_name: of(&tables, at),
            partition_key: of(&keys, at),
            path: of(&paths, at),
            kind: kind(kinds.value(at))?,
            size_bytes: sizes.value(at),
            row_count: rows.value(at),
            log_id: of(&logs, at),
            term: terms.value(at),
            first_lsn: firsts.value(at),
            last_lsn: lasts.value(at),
        });
    }
    Ok(())
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, Error> {
    let column = batch.column_by_name(name).filter(|column| column.null_count() == 0);
    column.ok_or_else(|| Error::Shape(format!("the catalog's answer has no column {name}")))
}

fn kind(text: &str) -> Result<Kind, Error> {
    match text {
        "parquet" => Ok(Kind::Parquet),
        "quarantine" => Ok(Kind::Quarantine),
        other => Err(Error::Shape(format!("{other} is no kind of file"))),
    }
}

/// The objects in a directory.
///
/// # Errors
///
/// [`Error::Store`] if it is none.
pub fn directory(root: &Path) -> Result<Arc<dyn ObjectStore>, Error> {
    Ok(Arc::new(LocalFileSystem::new_with_prefix(root)?))
}
