//! What a query sees of writes that have added columns since the version that it reads.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use types::batch::FieldColumn;
use types::{Batch, Chunk, TableSchema};

use crate::error::Error;

/// The chunks without rows that have values of no field that `schema` knows.
///
/// A chunk may hold batches that were published after the query's version, with fields that the
/// version does not know. A row that has only such fields would be a point without any value, which
/// nobody has written.
pub(super) fn rows_of_version(
    chunks: Vec<Chunk>,
    schema: &TableSchema,
) -> Result<Vec<Chunk>, Error> {
    let of_version = |chunk: Chunk| {
        let batch = known_rows(chunk.batch, schema)?;
        Ok(Chunk { batch, ..chunk })
    };
    chunks.into_iter().map(of_version).collect()
}

fn known_rows(batch: Arc<Batch>, schema: &TableSchema) -> Result<Arc<Batch>, Error> {
    let is_known = |field: &&FieldColumn| schema.kind(field.name.as_str()).is_some();
    let known: Vec<_> = batch.fields().iter().filter(is_known).collect();
    if known.len() == batch.fields().len() {
        return Ok(batch);
    }
    let has_value = |row: usize| known.iter().any(|field| field.values.is_valid(row));
    let keep: BooleanArray = (0..batch.rows()).map(|row| Some(has_value(row))).collect();
    Ok(Arc::new(batch.filter(&keep)?))
}
