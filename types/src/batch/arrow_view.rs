//! Arrow views of batches: tag columns row by row, for who asks.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, MutableArrayData, RecordBatch,
    RecordBatchOptions, StringBuilder, TimestampNanosecondArray, make_array, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int32Type, SchemaRef};
use arrow::error::ArrowError;

use super::Batch;
use crate::name::TIME;

impl Batch {
    /// The columns of `schema`, row by row.
    ///
    /// Dictionary columns are read as tags, `time` as time, others as fields; what the batch does
    /// not have is null. Times and fields share their memory with the batch.
    ///
    /// # Errors
    ///
    /// If a column has another type than the batch holds under its name.
    pub fn to_arrow(&self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        self.view(&(0..self.rows()), schema, |column| Ok(Arc::clone(column)))
    }

    /// The same for a range of `rows`, with buffers of its own.
    ///
    /// A view of the whole batch that is handed out in slices has one buffer for all of them:
    /// whoever holds a few slices, as a sort does, would account for the whole batch with each.
    ///
    /// # Errors
    ///
    /// Those of [`to_arrow`](Self::to_arrow).
    ///
    /// # Panics
    ///
    /// If the batch has not all of `rows`.
    pub fn rows_to_arrow(
        &self,
        rows: &Range<usize>,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, ArrowError> {
        self.view(rows, schema, |column| copied(column, rows))
    }

    /// `rows` of the columns of `schema`; `of_rows` makes them of a whole column of values.
    fn view(
        &self,
        rows: &Range<usize>,
        schema: &SchemaRef,
        of_rows: impl Fn(&ArrayRef) -> Result<ArrayRef, ArrowError>,
    ) -> Result<RecordBatch, ArrowError> {
        let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
            if field.name() == TIME {
                let times = TimestampNanosecondArray::new(self.time.clone(), None);
                return of_rows(&(Arc::new(times) as ArrayRef));
            }
            if let DataType::Dictionary(_, _) = field.data_type() {
                return Ok(Arc::new(self.tag_column(field.name(), rows)));
            }
            match self.field(field.name()) {
                Some(column) => of_rows(&column.values),
                None => Ok(new_null_array(field.data_type(), rows.len())),
            }
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        // The count says how many rows there are where no column is asked for.
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }

    /// The values of the tag called `name`, each that occurs in `rows` once in the dictionary.
    fn tag_column(&self, name: &str, rows: &Range<usize>) -> DictionaryArray<Int32Type> {
        let series_of_row = &self.series_of_row[rows.clone()];
        // Series have numbers that are close together where rows are sorted.
        let first = series_of_row.iter().min().copied().unwrap_or_default();
        let last = series_of_row.iter().max().copied().unwrap_or_default();
        let mut key_of_series: Vec<Option<Key>> = vec![None; (last - first) as usize + 1];
        let mut dictionary = Dictionary::new();
        let key = |series: &u32| {
            let known = &mut key_of_series[(*series - first) as usize];
            *known.get_or_insert_with(|| dictionary.key(self.series.get(*series).value(name)))
        };
        let keys: Int32Array = series_of_row.iter().map(key).collect();
        DictionaryArray::new(keys, Arc::new(dictionary.values.finish()))
    }
}

/// Where a value stands in a dictionary; nothing for a null.
type Key = Option<i32>;

/// Values, each once, in the order in which they came.
struct Dictionary<'a> {
    known: HashMap<&'a str, i32>,
    values: StringBuilder,
}

impl<'a> Dictionary<'a> {
    fn new() -> Self {
        Self { known: HashMap::new(), values: StringBuilder::with_capacity(0, 0) }
    }

    fn key(&mut self, value: Option<&'a str>) -> Key {
        let value = value?;
        let next = self.known.len() as i32;
        let key = *self.known.entry(value).or_insert(next);
        if key == next {
            self.values.append_value(value);
        }
        Some(key)
    }
}

fn copied(column: &ArrayRef, rows: &Range<usize>) -> Result<ArrayRef, ArrowError> {
    let all = column.to_data();
    let mut copy = MutableArrayData::new(vec![&all], false, rows.len());
    copy.try_extend(0, rows.start, rows.end)?;
    Ok(make_array(copy.freeze()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Schema;

    use super::*;
    use crate::batch::{BatchBuilder, FieldValue, TagSetBuilder};
    use crate::name::ColumnName;
    use crate::schema::{ColumnKind, FieldType, arrow_field};

    fn column(name: &str, kind: ColumnKind) -> Field {
        arrow_field(&ColumnName::new(name).expect("a good name"), kind)
    }

    #[test]
    fn tags_are_dictionaries_and_absent_columns_null() {
        let mut tags = TagSetBuilder::default();
        let mut builder = BatchBuilder::new();
        let x = ColumnName::new("x").expect("a good name");
        for (host, region, time) in [("a", "eu", 1), ("b", "eu", 2), ("a", "eu", 3), ("c", "", 4)] {
            let tags = tags.build(&mut [("host", host), ("region", region)]);
            builder.push_row(tags, time, [(&x, FieldValue::I64(time))].into_iter()).expect("fits");
        }
        let schema = Arc::new(Schema::new(vec![
            column("absent_field", ColumnKind::Field(FieldType::Bool)),
            column("absent_tag", ColumnKind::Tag),
            column("region", ColumnKind::Tag),
            column("time", ColumnKind::Time),
            column("x", ColumnKind::Field(FieldType::I64)),
        ]));
        let view = builder.finish().to_arrow(&schema).expect("types agree");
        assert_eq!(view.column(0).null_count(), 4);
        assert_eq!(view.column(1).null_count(), 4);
        let region = view.column(2).as_dictionary::<Int32Type>();
        assert_eq!((region.values().len(), region.keys().null_count()), (1, 1));
        assert_eq!(view.num_rows(), 4);
    }

    const ROWS: usize = 1_000;

    /// Rows of 20 hosts, some without a region, with holes in their fields.
    fn with_holes() -> Batch {
        let name = |name| ColumnName::new(name).expect("a good name");
        let (x, text) = (name("x"), name("text"));
        let mut builder = BatchBuilder::new();
        let mut tag_set = TagSetBuilder::default();
        for at in 0..ROWS {
            let (host, number) = (format!("h{}", at / 50), at.to_string());
            let region = if at % 3 == 0 { "eu" } else { "" };
            let tags = tag_set.build(&mut [("host", host.as_str()), ("region", region)]);
            let x = (at % 2 == 0).then_some((&x, FieldValue::I64(at as i64)));
            let text = (at % 5 == 0).then_some((&text, FieldValue::Utf8(&number)));
            builder.push_row(tags, at as i64, x.into_iter().chain(text)).expect("fits");
        }
        builder.finish()
    }

    #[test]
    fn ranges_have_the_rows_of_the_whole_and_no_more_memory() {
        let batch = with_holes();
        let schema = Arc::new(Schema::new(vec![
            column("absent", ColumnKind::Field(FieldType::Bool)),
            column("host", ColumnKind::Tag),
            column("region", ColumnKind::Tag),
            column("text", ColumnKind::Field(FieldType::Utf8)),
            column("time", ColumnKind::Time),
            column("x", ColumnKind::Field(FieldType::I64)),
        ]));
        let whole = batch.to_arrow(&schema).expect("types agree");
        let mut bytes = 0;
        for start in (0..ROWS).step_by(100) {
            let part = batch.rows_to_arrow(&(start..start + 100), &schema).expect("types agree");
            // Dictionaries may differ where values do not.
            assert_eq!(part, whole.slice(start, 100));
            let hosts = part.column(1).as_dictionary::<Int32Type>();
            assert_eq!(hosts.values().len(), 2, "of the twenty only those that occur");
            bytes += part.get_array_memory_size();
        }
        assert!(bytes < 3 * whole.get_array_memory_size(), "{bytes} bytes");
    }

    #[test]
    fn no_columns_still_have_rows() {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        builder.push_row(tags.build(&mut []), 1, std::iter::empty()).expect("fits");
        let schema = Arc::new(Schema::empty());
        assert_eq!(builder.finish().to_arrow(&schema).expect("no types").num_rows(), 1);
        let rows = with_holes().rows_to_arrow(&(10..15), &schema);
        assert_eq!(rows.expect("no types").num_rows(), 5);
    }

    #[test]
    fn a_column_of_another_type_is_refused() {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        let x = ColumnName::new("x").expect("a good name");
        let fields = [(&x, FieldValue::I64(1))];
        builder.push_row(tags.build(&mut []), 1, fields.into_iter()).expect("fits");
        let schema = Schema::new(vec![column("x", ColumnKind::Field(FieldType::F64))]);
        let (batch, schema) = (builder.finish(), Arc::new(schema));
        assert!(batch.to_arrow(&schema).is_err());
        assert!(batch.rows_to_arrow(&(0..1), &schema).is_err());
    }
}
