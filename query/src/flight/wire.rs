//! Arrow as it goes over the wire.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::{MessageBuilder, MessageHeader, MetadataVersion};
use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use bytes::Bytes;
use flatbuffers::FlatBufferBuilder;
use types::schema::KIND_METADATA_KEY;

use crate::error::Error;

/// The key of a field's metadata by which InfluxDB 3's clients tell tags from fields.
const INFLUX_KIND_KEY: &str = "iox::column::type";

/// The schema in which clients get rows of `schema`: without dictionaries and views, and with the
/// kind of each column as they know it.
pub(super) fn schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().map(|field| plain_field(field)).collect();
    let metadata = schema.metadata().clone();
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// The rows of `batch` in `schema`.
///
/// # Errors
///
/// If a column cannot be cast, which is a fault of this program.
pub(super) fn batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
}

fn plain_field(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, value_type) => plain_text(value_type),
        other => plain_text(other),
    };
    let mut metadata = field.metadata().clone();
    if let Some(kind) = influx_kind(&metadata, &data_type) {
        metadata.insert(INFLUX_KIND_KEY.to_owned(), kind.to_owned());
    }
    Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata)
}

/// Text and bytes without views, which older Arrow libraries cannot read.
fn plain_text(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

/// What InfluxDB 3 calls a column of this kind and type.
fn influx_kind(metadata: &HashMap<String, String>, ty: &DataType) -> Option<&'static str> {
    match (metadata.get(KIND_METADATA_KEY)?.as_str(), ty) {
        ("tag", _) => Some("iox::column_type::tag"),
        ("time", _) => Some("iox::column_type::timestamp"),
        (_, DataType::Int64) => Some("iox::column_type::field::integer"),
        (_, DataType::UInt64) => Some("iox::column_type::field::uinteger"),
        (_, DataType::Float64) => Some("iox::column_type::field::float"),
        (_, DataType::Boolean) => Some("iox::column_type::field::boolean"),
        (_, DataType::Utf8) => Some("iox::column_type::field::string"),
        _ => None,
    }
}

/// A message without Arrow data.
pub(super) fn metadata(app_metadata: Bytes) -> FlightData {
    let mut buffer = FlatBufferBuilder::new();
    let mut message = MessageBuilder::new(&mut buffer);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(MessageHeader::NONE);
    message.add_bodyLength(0);
    let message = message.finish();
    buffer.finish(message, None);
    let header = Bytes::copy_from_slice(buffer.finished_data());
    FlightData::new().with_data_header(header).with_app_metadata(app_metadata)
}

/// True if `frame` carries a schema.
pub(super) fn is_schema(frame: &FlightData) -> bool {
    let message = arrow::ipc::root_as_message(&frame.data_header);
    message.is_ok_and(|message| message.header_type() == MessageHeader::Schema)
}

/// What an encoder's error means: errors of this crate travel through it.
pub(super) fn error(error: FlightError) -> Error {
    match error {
        FlightError::ExternalError(source) => match source.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::Fault { reason: other.to_string() },
        },
        other => Error::Fault { reason: other.to_string() },
    }
}

/// The error of rows that do not fit a schema that was made for them.
pub(super) fn fault(error: &ArrowError) -> Error {
    Error::Fault { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use types::schema::arrow_field;
    use types::{ColumnKind, ColumnName, FieldType};

    use super::*;

    fn check(kind: ColumnKind, sent: &DataType, influx: &str) {
        let name = ColumnName::new("c").expect("a good name");
        let field = plain_field(&arrow_field(&name, kind));
        assert_eq!(field.data_type(), sent);
        assert_eq!(field.metadata()[INFLUX_KIND_KEY], influx);
    }

    #[test]
    fn clients_get_plain_columns_with_the_kind_that_they_know() {
        let text = FieldType::Utf8.arrow();
        check(ColumnKind::Tag, &text, "iox::column_type::tag");
        check(ColumnKind::Field(FieldType::Utf8), &text, "iox::column_type::field::string");
        check(
            ColumnKind::Field(FieldType::U64),
            &DataType::UInt64,
            "iox::column_type::field::uinteger",
        );
        check(ColumnKind::Time, &ColumnKind::Time.arrow(), "iox::column_type::timestamp");
    }

    #[test]
    fn computed_columns_have_no_kind() {
        let field = plain_field(&Field::new("n", DataType::Utf8View, true));
        assert_eq!(field.data_type(), &DataType::Utf8);
        assert!(field.metadata().is_empty());
    }
}
