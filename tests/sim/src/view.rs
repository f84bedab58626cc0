//! Rows of Arrow as the checker wants them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use checker::Row;

/// The tag.
const SERIES: &str = "series";
/// The time.
const TIME: &str = "time";

/// The rows of `batch`, which are of `table`. A column of another type than it should have is a bug,
/// and panics.
pub(crate) fn rows_of(table: &str, batch: &RecordBatch) -> Vec<Row> {
    let series = column(batch, SERIES, &DataType::Utf8);
    let time = column(batch, TIME, &DataType::Int64);
    let (series, time) = (series.as_string::<i32>(), time.as_primitive::<Int64Type>());
    let fields = fields(batch);
    let row = |at: usize| Row {
        table: table.to_owned(),
        series: series.value(at).to_owned(),
        time: time.value(at),
        fields: fields
            .iter()
            .filter(|(_, values)| values.is_valid(at))
            .map(|(name, values)| (name.clone(), values.as_primitive::<Int64Type>().value(at)))
            .collect(),
    };
    (0..batch.num_rows()).map(row).collect()
}

fn fields(batch: &RecordBatch) -> Vec<(String, ArrayRef)> {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let names = names.filter(|name| ![SERIES, TIME].contains(name));
    names.map(|name| (name.to_owned(), column(batch, name, &DataType::Int64))).collect()
}

fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> ArrayRef {
    let column = batch.column_by_name(name).expect("every table has a series and a time");
    cast(column, kind).expect("tags are texts, all else are integers")
}
