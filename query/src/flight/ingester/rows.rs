//! The rows of one chunk as messages.

use std::collections::BTreeMap;
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
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use types::schema::arrow_field;
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
    memory: &Arc<dyn MemoryPool>,
) -> impl Stream<Item = Result<FlightData, Error>> + Send + use<> {
    let schema = schema_of(&batch, columns);
    let to = SchemaRef::clone(&schema);
    let memory = MemoryConsumer::new("a read of the buffer").register(memory);
    let slices = stream::once(async move {
        memory.try_grow(bytes_of_rows(&batch, times.is_some()))?;
        let rows = rows(&batch, &to, times.as_ref()).map_err(|error| wire::fault(&error))?;
        Ok::<_, Error>(slices(rows, memory))
    });
    let slices = slices.map_ok(|slices| stream::iter(slices).map(Ok)).try_flatten();
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_dictionary_handling(DictionaryHandling::Resend)
        // The slices have the right size; the encoder would take each for as large as its whole.
        .with_max_flight_data_size(usize::MAX)
        .build(slices.map_err(|error: Error| FlightError::from_external_error(Box::new(error))))
        .map_err(wire::error)
}

/// The schema of those `columns` that occur in `batch`, and of the primary key, in name order.
///
/// The key is there whatever is wanted, and with all tags that rows have: whoever reads it has to
/// tell points apart by them, those included that the catalog did not know yet when the stream
/// began.
fn schema_of(batch: &Batch, columns: &[FieldRef]) -> SchemaRef {
    let tags = batch.tags().into_iter().map(|tag| arrow_field(&tag, ColumnKind::Tag));
    let time = arrow_field(&ColumnName::time(), ColumnKind::Time);
    let key = tags.chain([time]).map(FieldRef::new);
    let fields = columns.iter().filter(|field| batch.field(field.name()).is_some()).cloned();
    let by_name: BTreeMap<String, FieldRef> =
        fields.chain(key).map(|field| (field.name().clone(), field)).collect();
    Arc::new(Schema::new(by_name.into_values().collect::<Vec<_>>()))
}

/// The most that the rows of `batch` take as columns: fields that are shared with the buffer are
/// counted too, because the buffer may let go of them while they are sent.
fn bytes_of_rows(batch: &Batch, filtered: bool) -> usize {
    let keys = batch.rows() * batch.tags().len() * size_of::<i32>();
    let bytes = usize::try_from(batch.size_bytes()).unwrap_or(usize::MAX).saturating_add(keys);
    // Both are there while the wanted rows are picked out.
    if filtered { bytes.saturating_mul(2) } else { bytes }
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

/// The same rows in slices that fit into one message each; their memory is held until the last was
/// made.
fn slices(rows: RecordBatch, memory: MemoryReservation) -> impl Iterator<Item = RecordBatch> {
    let (count, bytes) = (rows.num_rows(), rows.get_array_memory_size().max(1));
    let per_slice = count.saturating_mul(GRPC_TARGET_MAX_FLIGHT_SIZE_BYTES) / bytes;
    let per_slice = per_slice.clamp(1, count.max(1));
    (0..count).step_by(per_slice).map(move |start| {
        let _held = &memory;
        rows.slice(start, per_slice.min(count - start))
    })
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use types::FieldType;
    use types::batch::{BatchBuilder, FieldValue, TagSetBuilder};

    use super::*;

    /// A row with two tags and two fields.
    fn batch() -> Batch {
        let [n, up] = ["n", "up"].map(|name| ColumnName::new(name).expect("a good name"));
        let mut builder = BatchBuilder::new();
        let fields = [(&n, FieldValue::I64(1)), (&up, FieldValue::Bool(true))];
        let mut tag_set = TagSetBuilder::default();
        let tags = tag_set.build(&mut [("host", "a"), ("rack", "r1")]);
        builder.push_row(tags, 7, fields.into_iter()).expect("fits");
        builder.finish()
    }

    #[test]
    fn a_chunk_has_its_key_whole_and_the_fields_that_are_wanted() {
        // What the catalog knew when the stream began: nothing of the tag `rack`.
        let n = ColumnName::new("n").expect("a good name");
        let known = [Arc::new(arrow_field(&n, ColumnKind::Field(FieldType::I64)))];
        let schema = schema_of(&batch(), &known);
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["host", "n", "rack", "time"]);
        let rows = rows(&batch(), &schema, None).expect("its own columns");
        assert!(rows.columns().iter().all(|column| column.null_count() == 0));
    }

    #[tokio::test]
    async fn a_chunk_holds_memory_while_it_is_sent() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let mut sent = Box::pin(frames(Arc::new(batch()), &[], None, &pool));
        assert_eq!(pool.reserved(), 0, "nobody has asked for it yet");
        while let Some(frame) = sent.next().await {
            frame.expect("is sent");
            if pool.reserved() > 0 {
                drop(sent);
                assert_eq!(pool.reserved(), 0);
                return;
            }
        }
        panic!("nothing was held");
    }

    #[tokio::test]
    async fn a_chunk_that_does_not_fit_is_refused() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(10));
        let sent: Result<Vec<_>, Error> =
            frames(Arc::new(batch()), &[], None, &pool).try_collect().await;
        assert!(matches!(sent, Err(Error::OutOfMemory(_))), "{sent:?}");
    }
}
