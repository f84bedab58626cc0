//! JSON: objects with the columns as keys in their order, nulls left out.

use std::sync::Arc;

use arrow::array::{AnyDictionaryArray, Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::Writer;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited};

use super::{Renderer, not_rendered};
use crate::error::Error;

/// Rows as the objects of one array.
pub(super) fn array() -> impl Renderer {
    Json(Writer::<Vec<u8>, JsonArray>::new(Vec::new()))
}

/// Rows as an object a line.
pub(super) fn lines() -> impl Renderer {
    Json(Writer::<Vec<u8>, LineDelimited>::new(Vec::new()))
}

/// Arrow's own JSON writer has the form that is promised: integers as numbers, times without a
/// zone as `2013-01-01T05:17:00` with as much of a fraction as there is, structs as objects,
/// dictionaries as their values.
#[derive(Debug)]
struct Json<F: JsonFormat>(Writer<Vec<u8>, F>);

impl<F: JsonFormat + Send> Renderer for Json<F> {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        with_null_values_unfolded(batch)
            .and_then(|batch| self.0.write(&batch))
            .map_err(|source| not_rendered("JSON", source))
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.0.finish().map_err(|source| not_rendered("JSON", source))
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }
}

/// The same rows without dictionaries that hold a null as a value: Arrow's writer looks for nulls
/// among the keys only, and would write something for such a value.
fn with_null_values_unfolded(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let has_null = |column: &ArrayRef| {
        let dictionary = column.as_any_dictionary_opt();
        dictionary
            .is_some_and(|dictionary: &dyn AnyDictionaryArray| dictionary.values().null_count() > 0)
    };
    if !batch.columns().iter().any(has_null) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        match column.data_type() {
            DataType::Dictionary(_, value_type) if has_null(column) => {
                columns.push(cast(column, value_type)?);
                let value_type = value_type.as_ref().clone();
                fields.push(Arc::new(Field::new(field.name(), value_type, true)));
            }
            _ => {
                columns.push(Arc::clone(column));
                fields.push(Arc::clone(field));
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
