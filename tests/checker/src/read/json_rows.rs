//! Rows out of the JSON that `/api/v3/query_sql` answers.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use serde_json::Value;

use super::Error;
use super::arrow_rows::{SERIES, TIME};
use crate::row::Row;

/// The rows of `table` in a JSON array of objects; as [`super::sql`] does it for Arrow.
///
/// # Errors
///
/// [`Error::Shape`] for objects that are no rows.
pub fn json(table: &str, objects: &[Value]) -> Result<Vec<Row>, Error> {
    let row = |object: &Value| {
        row(table, object).ok_or_else(|| Error::Shape(format!("{object} is no row of {table}")))
    };
    objects.iter().map(row).collect()
}

fn row(table: &str, object: &Value) -> Option<Row> {
    let columns = object.as_object()?;
    let series = match columns.get(SERIES) {
        None | Some(Value::Null) => String::new(),
        Some(series) => series.as_str()?.to_owned(),
    };
    let mut fields = Vec::new();
    for (name, value) in columns {
        if ![SERIES, TIME].contains(&name.as_str()) && !value.is_null() {
            fields.push((name.clone(), value.as_i64()?));
        }
    }
    Some(Row { table: table.to_owned(), series, time: time(columns.get(TIME)?)?, fields })
}

/// Nanoseconds, or text such as `2013-01-01T05:00:00.000000001`.
fn time(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => string_to_timestamp_nanos(text).ok(),
        number => number.as_i64(),
    }
}
