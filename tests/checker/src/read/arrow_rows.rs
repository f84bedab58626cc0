//! Rows out of record batches.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use super::Error;
use crate::row::Row;

/// The tag column.
pub(super) const SERIES: &str = "series";
/// The column of times.
pub(super) const TIME: &str = "time";

/// The rows of `table` that a query answered: all columns but `series` and `time` are fields.
///
/// Nulls are left out of [`Row::fields`]; without a column `series` there is one series, without a
/// name.
///
/// # Errors
///
/// [`Error::Shape`] without times or with null in them, [`Error::Arrow`] for fields that are no
/// integers.
pub fn sql(table: &str, batches: &[RecordBatch]) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        append(table, batch, &mut rows)?;
    }
    Ok(rows)
}

fn append(table: &str, batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), Error> {
    let times = batch.column_by_name(TIME).map(times).transpose()?;
    let times = times.filter(|times| times.null_count() == 0);
    let times = times.ok_or_else(|| Error::Shape(format!("{table} has rows without a time")))?;
    let series = batch.column_by_name(SERIES).map(texts).transpose()?;
    let columns = batch.schema();
    let columns = columns.fields().iter().zip(batch.columns());
    let mut fields = Vec::new();
    for (column, values) in columns {
        if ![SERIES, TIME].contains(&column.name().as_str()) {
            fields.push((column.name().clone(), integers(values)?));
        }
    }
    for at in 0..batch.num_rows() {
        let series = series.as_ref().filter(|series| series.is_valid(at));
        let present = fields.iter().filter(|(_, values)| values.is_valid(at));
        rows.push(Row {
            table: table.to_owned(),
            series: series.map(|series| series.value(at).to_owned()).unwrap_or_default(),
            time: times.value(at),
            fields: present.map(|(name, values)| (name.clone(), values.value(at))).collect(),
        });
    }
    Ok(())
}

fn times(column: &ArrayRef) -> Result<Int64Array, Error> {
    // From any unit, with or without a zone; integers are nanoseconds.
    let nanoseconds = cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, None))?;
    integers(&nanoseconds)
}

/// A column of integers.
pub(super) fn integers(column: &ArrayRef) -> Result<Int64Array, Error> {
    if !column.data_type().is_integer() && !matches!(column.data_type(), DataType::Timestamp(..)) {
        return Err(Error::Shape(format!("{} is no integer", column.data_type())));
    }
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// A column of strings, of whatever encoding.
pub(super) fn texts(column: &ArrayRef) -> Result<StringArray, Error> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}
