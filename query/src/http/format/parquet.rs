//! Parquet, one row group at a time.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{Renderer, not_rendered};
use crate::error::Error;

/// The encoded size at which a row group ends and is sent: what one answer holds in memory.
const ROW_GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Rows as a Parquet file.
#[derive(Debug)]
pub(super) struct Parquet(ArrowWriter<Vec<u8>>);

impl Parquet {
    /// A renderer for rows of `schema`.
    ///
    /// # Errors
    ///
    /// [`Error::NotRendered`] for a column of a type that Parquet does not have.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Error> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
            .build();
        ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties))
            .map(Self)
            .map_err(not_parquet)
    }
}

impl Renderer for Parquet {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.0.write(batch).map_err(not_parquet)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.0.finish().map(drop).map_err(not_parquet)
    }

    /// The writer counts the bytes it has written, so it does not miss those that are taken out.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.inner_mut())
    }
}

fn not_parquet(source: ParquetError) -> Error {
    not_rendered("Parquet", source.into())
}
