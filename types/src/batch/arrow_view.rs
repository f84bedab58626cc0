//! Arrow views of batches: tag columns row by row, for who asks.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampNanosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int32Type, SchemaRef};
use arrow::error::ArrowError;

use super::Batch;
use crate::name::TIME;

impl Batch {
    /// The columns of `schema`, row by row.
    ///
    /// Dictionary columns are read as tags, `time` as time, others as fields; what the batch does
    /// not have is null.
    ///
    /// # Errors
    ///
    /// If a column has another type than the batch holds under its name.
    pub fn to_arrow(&self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> =
            schema.fields().iter().map(|field| self.arrow_column(field)).collect();
        // The count says how many rows there are where no column is asked for.
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }

    fn arrow_column(&self, field: &Field) -> ArrayRef {
        if field.name() == TIME {
            return Arc::new(TimestampNanosecondArray::new(self.time.clone(), None));
        }
        if let DataType::Dictionary(_, _) = field.data_type() {
            return Arc::new(self.tag_column(field.name()));
        }
        match self.field(field.name()) {
            Some(column) => Arc::clone(&column.values),
            None => new_null_array(field.data_type(), self.rows()),
        }
    }

    /// The values of the tag called `name`, each once in the dictionary.
    pub fn tag_column(&self, name: &str) -> DictionaryArray<Int32Type> {
        let mut known = std::collections::HashMap::new();
        let mut values = StringBuilder::new();
        let key_of_series: Vec<Option<i32>> = self
            .series
            .iter()
            .map(|tags| {
                tags.value(name).map(|value| {
                    let next = known.len() as i32;
                    *known.entry(value).or_insert_with(|| {
                        values.append_value(value);
                        next
                    })
                })
            })
            .collect();
        let keys: Int32Array =
            self.series_of_row.iter().map(|series| key_of_series[*series as usize]).collect();
        DictionaryArray::new(keys, Arc::new(values.finish()))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
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

    #[test]
    fn no_columns_still_have_rows() {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        builder.push_row(tags.build(&mut []), 1, std::iter::empty()).expect("fits");
        let schema = Arc::new(Schema::empty());
        assert_eq!(builder.finish().to_arrow(&schema).expect("no types").num_rows(), 1);
    }

    #[test]
    fn a_column_of_another_type_is_refused() {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        let x = ColumnName::new("x").expect("a good name");
        let fields = [(&x, FieldValue::I64(1))];
        builder.push_row(tags.build(&mut []), 1, fields.into_iter()).expect("fits");
        let schema = Schema::new(vec![column("x", ColumnKind::Field(FieldType::F64))]);
        assert!(builder.finish().to_arrow(&Arc::new(schema)).is_err());
    }
}
