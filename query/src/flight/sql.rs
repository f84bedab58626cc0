//! SQL for the InfluxDB 3 client libraries.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, TryStreamExt};

use super::wire;
use crate::error::Error;
use crate::request::Answer;

/// The messages of an answer.
///
/// Dictionaries are unfolded: several of the client libraries hand out a dictionary's keys in place
/// of its values, and InfluxDB 3 itself sends none.
pub(super) fn frames(answer: Answer) -> impl Stream<Item = Result<FlightData, Error>> {
    let schema = wire::schema(&answer.schema);
    let to = SchemaRef::clone(&schema);
    let rows = answer.stream.map(move |batch| as_sent(&batch?, &to));
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .build(rows.map_err(|error| FlightError::from_external_error(Box::new(error))))
        .map_err(wire::error)
}

fn as_sent(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
    wire::batch(batch, schema).map_err(|error| wire::fault(&error))
}
