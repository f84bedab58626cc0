//! `system.queries`: the queries of this database that run now, this one included.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;

use super::{Inside, number, text, time};

pub(super) fn columns() -> Schema {
    Schema::new(vec![text("id"), time("issue_time"), number("running_ms"), text("query_text")])
}

pub(super) fn rows(inside: &Inside, columns: SchemaRef) -> Result<RecordBatch> {
    let running = inside.running.of_database(&inside.view.database.name);
    let ids = running.iter().map(|query| query.id.to_string());
    let issued = running.iter().map(|query| query.issued_at_ns);
    let elapsed = running.iter().map(|query| query.running_for.as_millis());
    let elapsed = elapsed.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX));
    let texts = running.iter().map(|query| query.sql.as_ref());
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(ids)),
        Arc::new(TimestampNanosecondArray::from_iter_values(issued)),
        Arc::new(UInt64Array::from_iter_values(elapsed)),
        Arc::new(StringArray::from_iter_values(texts)),
    ];
    Ok(RecordBatch::try_new(columns, arrays)?)
}
