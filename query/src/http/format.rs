//! The forms in which an answer can be had.

mod arrow_stream;
mod csv;
mod json;
mod parquet;
mod pretty;

use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::execution::memory_pool::MemoryPool;

use crate::error::Error;

/// Turns rows into bytes, batch by batch.
pub(super) trait Renderer: Debug + Send {
    /// Adds rows, in the order of the answer.
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error>;

    /// Adds what stands after the last row.
    fn finish(&mut self) -> Result<(), Error>;

    /// Takes out the bytes that will not change any more.
    fn take(&mut self) -> Vec<u8>;
}

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonl,
    /// Comma-separated values under a line of names.
    Csv,
    /// A table for people.
    Pretty,
    /// A Parquet file.
    Parquet,
    /// A stream of Arrow's IPC format.
    Arrow,
}

impl Format {
    /// The form that an `Accept` header asks for, or JSON.
    pub(super) fn accepted(header: &str) -> Self {
        let types = header.split(',').map(|part| part.split(';').next().unwrap_or(part).trim());
        let mut known = types.filter_map(|media_type| match media_type {
            "application/json" => Some(Self::Json),
            "application/jsonl" | "application/x-ndjson" => Some(Self::Jsonl),
            "text/csv" => Some(Self::Csv),
            "text/plain" => Some(Self::Pretty),
            "application/vnd.apache.parquet" => Some(Self::Parquet),
            "application/vnd.apache.arrow.stream" => Some(Self::Arrow),
            _ => None,
        });
        known.next().unwrap_or(Self::Json)
    }

    /// What HTTP calls the form.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv",
            Self::Pretty => "text/plain; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// A renderer for rows of `schema`.
    ///
    /// # Errors
    ///
    /// [`Error::NotRendered`] if the form has no place for a column.
    pub(super) fn renderer(
        self,
        schema: &SchemaRef,
        memory: &Arc<dyn MemoryPool>,
    ) -> Result<Box<dyn Renderer>, Error> {
        Ok(match self {
            Self::Json => Box::new(json::array()),
            Self::Jsonl => Box::new(json::lines()),
            Self::Csv => Box::new(csv::Csv::new(schema)?),
            Self::Pretty => Box::new(pretty::Pretty::new(schema, memory)),
            Self::Parquet => Box::new(parquet::Parquet::new(schema)?),
            Self::Arrow => Box::new(arrow_stream::ArrowStream::new(schema)?),
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "json" => Ok(Self::Json),
            "jsonl" | "json_lines" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "pretty" => Ok(Self::Pretty),
            "parquet" => Ok(Self::Parquet),
            "arrow" => Ok(Self::Arrow),
            _ => Err(Error::Parameter {
                reason: format!(
                    "the format {name:?} is none of json, jsonl, csv, pretty, parquet and arrow"
                ),
            }),
        }
    }
}

/// The error for rows that have no place in the form called `format`.
fn not_rendered(format: &'static str, source: ArrowError) -> Error {
    Error::NotRendered { format, source: Box::new(source) }
}

#[cfg(test)]
mod tests;
