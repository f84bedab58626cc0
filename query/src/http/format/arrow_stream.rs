//! Arrow IPC: a stream of record batches, without loss of types.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use super::{Renderer, not_rendered};
use crate::error::Error;

/// Rows as a stream of Arrow's IPC format.
pub(super) struct ArrowStream(StreamWriter<Vec<u8>>);

impl fmt::Debug for ArrowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrowStream").finish_non_exhaustive()
    }
}

impl ArrowStream {
    /// A renderer for rows of `schema`.
    ///
    /// # Errors
    ///
    /// [`Error::NotRendered`] for a column of a type that the format does not have.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Error> {
        StreamWriter::try_new(Vec::new(), schema).map(Self).map_err(not_arrow)
    }
}

impl Renderer for ArrowStream {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.0.write(batch).map_err(not_arrow)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.0.finish().map_err(not_arrow)
    }

    /// The stream has no offsets, so it does not miss the bytes that are taken out.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }
}

fn not_arrow(source: ArrowError) -> Error {
    not_rendered("Arrow", source)
}
