//! Arrow IPC files: the chunks of a job that was set aside, as they are.
//!
//! One record batch a chunk, in LSN order, its rows in the order in which they were written: neither
//! sorted nor deduplicated, because that may be what failed. Tags are strings. The metadata of the
//! schema is that of a Parquet file, without a sort key.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;
use bytes::Bytes;
use types::Batch;

use super::columns;
use super::provenance::Provenance;
use crate::error::Error;
use crate::job::PersistJob;

/// Writes the chunks of `job` as a file.
pub(crate) fn encode(job: &PersistJob, provenance: &Provenance) -> Result<Bytes, Error> {
    let queried = columns::as_queried(&provenance.columns);
    let pairs = provenance.to_pairs()?.into_iter();
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value)).collect();
    let fields = columns::as_written(&provenance.columns).fields().clone();
    let written = Arc::new(Schema::new_with_metadata(fields, pairs));
    let mut writer = FileWriter::try_new(Vec::new(), &written)?;
    for batch in job.batches() {
        writer.write(&record_batch(batch, &queried, &written)?)?;
    }
    Ok(Bytes::from(writer.into_inner()?))
}

/// What the file with this schema says about itself.
///
/// # Errors
///
/// [`Error::NotOurs`] or [`Error::Provenance`] for files that Forebay did not write.
pub fn provenance_of(schema: &Schema) -> Result<Provenance, Error> {
    Provenance::from_pairs(|key| schema.metadata().get(key).map(String::as_str))
}

/// The rows with tags as strings: an Arrow file has one dictionary a column, and each chunk has its
/// own.
fn record_batch(
    batch: &Batch,
    queried: &SchemaRef,
    written: &SchemaRef,
) -> Result<RecordBatch, Error> {
    let view = batch.to_arrow(queried)?;
    let columns = view.columns().iter().zip(written.fields());
    let columns = columns
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(written), columns)?)
}
