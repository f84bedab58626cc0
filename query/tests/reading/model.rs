//! What answers are compared with: a map that each write updates field by field.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

/// The value of a column, as a row of an answer shows it. `time` is an integer here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Int(i64),
    Text(String),
}

/// The columns of a row that are not null.
pub(crate) type Columns = BTreeMap<String, Value>;

/// One row as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) time: i64,
    pub(crate) fields: Columns,
}

impl Row {
    /// A row with the time `time`.
    pub(crate) fn at(time: i64) -> Self {
        Self { tags: BTreeMap::new(), time, fields: Columns::new() }
    }

    pub(crate) fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn int(mut self, name: &str, value: i64) -> Self {
        self.fields.insert(name.to_owned(), Value::Int(value));
        self
    }

    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), Value::Text(value.to_owned()));
        self
    }

    fn columns(&self) -> Columns {
        let tags = self.tags.iter().map(|(name, value)| (name.clone(), Value::Text(value.clone())));
        let mut columns: Columns = tags.collect();
        columns.insert("time".to_owned(), Value::Int(self.time));
        columns.extend(self.fields.clone());
        columns
    }
}

/// All points, each with its newest values.
#[derive(Debug, Default)]
pub(crate) struct Model {
    points: BTreeMap<(BTreeMap<String, String>, i64), Columns>,
}

impl Model {
    /// Writes `row` after all that were written before.
    pub(crate) fn write(&mut self, row: &Row) {
        let point = self.points.entry((row.tags.clone(), row.time)).or_default();
        point.extend(row.columns());
    }

    /// The rows that `keep` says, with the `columns` that are named, or with all; sorted.
    pub(crate) fn rows(&self, columns: &[&str], keep: impl Fn(&Columns) -> bool) -> Vec<Columns> {
        let named = |name: &String| columns.is_empty() || columns.contains(&name.as_str());
        let kept = self.points.values().filter(|row| keep(row));
        let mut rows: Vec<Columns> = kept
            .map(|row| row.clone().into_iter().filter(|(name, _)| named(name)).collect())
            .collect();
        rows.sort();
        rows
    }
}

/// The rows of an answer, sorted.
pub(crate) fn rows_of(batches: &[RecordBatch]) -> Vec<Columns> {
    let rows =
        |batch: &RecordBatch| (0..batch.num_rows()).map(|row| columns_of(batch, row)).collect();
    let mut rows: Vec<Columns> = batches.iter().flat_map::<Vec<_>, _>(rows).collect();
    rows.sort();
    rows
}

fn columns_of(batch: &RecordBatch, row: usize) -> Columns {
    let schema = batch.schema();
    let named = schema.fields().iter().zip(batch.columns());
    let value = |column: &dyn Array| match column.data_type() {
        DataType::Dictionary(..) | DataType::Utf8 => {
            let texts = cast(&column.slice(row, 1), &DataType::Utf8).expect("text");
            let texts = texts.as_string::<i32>();
            texts.is_valid(0).then(|| Value::Text(texts.value(0).to_owned()))
        }
        _ => {
            let numbers = cast(&column.slice(row, 1), &DataType::Int64).expect("a number");
            let numbers = numbers.as_primitive::<Int64Type>();
            numbers.is_valid(0).then(|| Value::Int(numbers.value(0)))
        }
    };
    named
        .filter_map(|(field, column)| Some((field.name().clone(), value(column.as_ref())?)))
        .collect()
}
