//! A table for people.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use super::{Renderer, not_rendered};
use crate::error::Error;

/// The most rows of a table, which is held until it is complete: the width of a column depends on
/// its last value. Nobody reads more.
const ROWS_MAX: usize = 100_000;

/// What laying out one cell takes beside its text, which is held three times: as a value, in the
/// cell and in the finished table.
const CELL_BYTES: usize = 192;

/// Rows as Arrow's table.
#[derive(Debug)]
pub(super) struct Pretty {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    rows: usize,
    memory: MemoryReservation,
    ready: Vec<u8>,
}

impl Pretty {
    /// A renderer that takes the memory for what it holds from `memory`.
    pub(super) fn new(schema: &SchemaRef, memory: &Arc<dyn MemoryPool>) -> Self {
        Self {
            schema: SchemaRef::clone(schema),
            batches: Vec::new(),
            rows: 0,
            memory: MemoryConsumer::new("a table for people").register(memory),
            ready: Vec::new(),
        }
    }

    fn hold(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let cells = batch.num_rows() * batch.num_columns();
        let columns = batch.columns().iter();
        // The rows may be a slice of a larger batch, which was rendered in part already.
        let values: usize = columns
            .map(|column| column.to_data().get_slice_memory_size())
            .sum::<Result<_, _>>()
            .map_err(|source| not_rendered("a table", source))?;
        self.memory.try_grow(3 * values + CELL_BYTES * cells)?;
        self.batches.push(batch.clone());
        Ok(())
    }
}

impl Renderer for Pretty {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.rows += batch.num_rows();
        if self.rows > ROWS_MAX {
            let reason = format!(
                "the format pretty has at most {ROWS_MAX} rows: use a LIMIT or another format"
            );
            return Err(Error::Parameter { reason });
        }
        self.hold(batch)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let schema = SchemaRef::clone(&self.schema);
        let table = pretty_format_batches_with_schema(schema, &self.batches)
            .map_err(|source| not_rendered("a table", source))?;
        self.ready = format!("{table}\n").into_bytes();
        self.batches.clear();
        Ok(())
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }
}
