//! The rows of one chunk as messages.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_flight::FlightData;
use arrow_flight::encode::{
    DictionaryHandling, FlightDataEncoderBuilder, GRPC_TARGET_MAX_FLIGHT_SIZE_BYTES,
};
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use types::{Batch, ColumnKind, ColumnName};

use crate::error::Error;
use crate::flight::wire;

/// True if some row of `batch` may lie in `times`.
pub(super) fn are_wanted(batch: &Batch, times: Option<&RangeInclusive<i64>>) -> bool {
    let (Some(wanted), Some(held)) = (times, batch.time_range()) else {
        return true;
    };
    wanted.start() <= held.end() && held.start() <= wanted.end()
}

/// The schema and the rows of `batch` within `times`, encoded when they are asked for.
///
/// Dictionaries stay dictionaries: queriers are ours, and a tag's values are sent once a chunk.
pub(super) fn frames(
    batch: Arc<Batch>,
    columns: &[FieldRef],
    times: Option<RangeInclusive<i64>>,
) -> impl Stream<Item = Result<FlightData, Error>> + Send + use<> {
    let schema = present(&batch, columns);
    let to = SchemaRef::clone(&schema);
    let slices = stream::once(async move { rows(&batch, &to, times.as_ref()).map(slices) });
    let slices = slices.map_ok(|slices| stream::iter(slices).map(Ok)).try_flatten();
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_dictionary_handling(DictionaryHandling::Resend)
        // The slices have the right size; the encoder would take each for as large as its whole.
        .with_max_flight_data_size(usize::MAX)
        .build(slices.map_err(FlightError::Arrow))
        .map_err(wire::error)
}

/// The schema of those `columns` that occur in `batch`.
fn present(batch: &Batch, columns: &[FieldRef]) -> SchemaRef {
    let tags = batch.tags();
    let is_present = |field: &&FieldRef| {
        let name = field.name().as_str();
        let is_tag = tags.binary_search_by(|tag| ColumnName::as_str(tag).cmp(name)).is_ok();
        is_tag || batch.field(name).is_some() || *field.data_type() == ColumnKind::Time.arrow()
    };
    let fields: Vec<_> = columns.iter().filter(is_present).cloned().collect();
    Arc::new(Schema::new(fields))
}

fn rows(
    batch: &Batch,
    schema: &SchemaRef,
    times: Option<&RangeInclusive<i64>>,
) -> Result<RecordBatch, ArrowError> {
    let rows = batch.to_arrow(schema)?;
    let Some(times) = times else {
        return Ok(rows);
    };
    let time = batch.time();
    let is_wanted = BooleanBuffer::collect_bool(time.len(), |row| times.contains(&time[row]));
    filter_record_batch(&rows, &BooleanArray::new(is_wanted, None))
}

/// The same rows in slices that fit into one message each.
fn slices(rows: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let (count, bytes) = (rows.num_rows(), rows.get_array_memory_size().max(1));
    let per_slice = count.saturating_mul(GRPC_TARGET_MAX_FLIGHT_SIZE_BYTES) / bytes;
    let per_slice = per_slice.clamp(1, count.max(1));
    (0..count).step_by(per_slice).map(move |start| rows.slice(start, per_slice.min(count - start)))
}
