//! Comma-separated values.

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::{Renderer, not_rendered};
use crate::error::Error;

/// Rows as lines, under a line with the columns' names, which also stands where there are no rows.
#[derive(Debug)]
pub(super) struct Csv {
    ready: Vec<u8>,
}

impl Csv {
    /// A renderer that has the line of names.
    ///
    /// # Errors
    ///
    /// [`Error::NotRendered`] for a column with values inside its values.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Error> {
        let mut csv = Self { ready: Vec::new() };
        csv.write(&RecordBatch::new_empty(SchemaRef::clone(schema)), true)?;
        Ok(csv)
    }

    fn write(&mut self, batch: &RecordBatch, with_names: bool) -> Result<(), Error> {
        let ready = std::mem::take(&mut self.ready);
        self.ready =
            appended(ready, batch, with_names).map_err(|source| not_rendered("CSV", source))?;
        Ok(())
    }
}

/// `ready` with the rows of `batch` after it.
fn appended(ready: Vec<u8>, batch: &RecordBatch, with_names: bool) -> Result<Vec<u8>, ArrowError> {
    let mut writer = WriterBuilder::new().with_header(with_names).build(ready);
    writer.write(batch)?;
    Ok(writer.into_inner())
}

impl Renderer for Csv {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.write(batch, false)
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }
}
