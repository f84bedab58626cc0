//! Rows of a batch as columns with buffers of their own.
//!
//! A view of the whole batch that is handed out in slices has one buffer for all of them: whoever
//! holds a few slices, as a sort does, would account for the whole batch with each.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, MutableArrayData, RecordBatch,
    RecordBatchOptions, StringBuilder, TimestampNanosecondArray, make_array, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int32Type, SchemaRef};
use arrow::error::ArrowError;
use types::Batch;
use types::name::TIME;

/// The columns of `schema` for the `rows` of `batch`, as [`Batch::to_arrow`] has them for all.
///
/// # Errors
///
/// If a column has another type than the batch holds under its name.
pub(super) fn own_rows(
    batch: &Batch,
    rows: &Range<usize>,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| column(batch, rows, field));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    // The count says how many rows there are where no column is asked for.
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
}

fn column(batch: &Batch, rows: &Range<usize>, field: &Field) -> Result<ArrayRef, ArrowError> {
    if field.name() == TIME {
        let times = batch.time()[rows.clone()].to_vec();
        return Ok(Arc::new(TimestampNanosecondArray::from(times)));
    }
    if let DataType::Dictionary(_, _) = field.data_type() {
        return Ok(Arc::new(tag_column(batch, rows, field.name())));
    }
    match batch.field(field.name()) {
        Some(column) => copied(&column.values, rows),
        None => Ok(new_null_array(field.data_type(), rows.len())),
    }
}

fn copied(values: &ArrayRef, rows: &Range<usize>) -> Result<ArrayRef, ArrowError> {
    let all = values.to_data();
    let mut copy = MutableArrayData::new(vec![&all], false, rows.len());
    copy.try_extend(0, rows.start, rows.end)?;
    Ok(make_array(copy.freeze()))
}

/// The values of a tag, each that occurs once in the dictionary.
fn tag_column(batch: &Batch, rows: &Range<usize>, name: &str) -> DictionaryArray<Int32Type> {
    let mut known: HashMap<&str, i32> = HashMap::new();
    let mut values = StringBuilder::with_capacity(0, 0);
    // Rows of one series stand together where they are sorted.
    let mut last: Option<(u32, Option<i32>)> = None;
    let keys = batch.series_of_row()[rows.clone()].iter().map(|series| {
        if let Some((of, key)) = last
            && of == *series
        {
            return key;
        }
        let key = batch.series().get(*series).value(name).map(|value| {
            let next = known.len() as i32;
            *known.entry(value).or_insert_with(|| {
                values.append_value(value);
                next
            })
        });
        last = Some((*series, key));
        key
    });
    let keys: Int32Array = keys.collect();
    DictionaryArray::new(keys, Arc::new(values.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::compute::concat_batches;
    use arrow::datatypes::Schema;
    use types::batch::{BatchBuilder, FieldValue, TagSetBuilder};
    use types::schema::arrow_field;
    use types::{ColumnKind, ColumnName, FieldType};

    use super::*;

    const ROWS: usize = 1_000;

    fn name(name: &str) -> ColumnName {
        ColumnName::new(name).expect("a good name")
    }

    /// Rows of 20 hosts, some without a region, with holes in their fields.
    fn batch() -> Batch {
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

    fn schema() -> SchemaRef {
        let text = ColumnKind::Field(FieldType::Utf8);
        Arc::new(Schema::new(vec![
            arrow_field(&name("absent"), ColumnKind::Field(FieldType::Bool)),
            arrow_field(&name("host"), ColumnKind::Tag),
            arrow_field(&name("region"), ColumnKind::Tag),
            arrow_field(&name("text"), text),
            arrow_field(&ColumnName::time(), ColumnKind::Time),
            arrow_field(&name("x"), ColumnKind::Field(FieldType::I64)),
        ]))
    }

    /// The rows as text: dictionaries may differ where values do not.
    fn text_of(batches: &[RecordBatch]) -> String {
        arrow::util::pretty::pretty_format_batches(batches).expect("has columns").to_string()
    }

    #[test]
    fn ranges_have_the_rows_of_the_whole_and_no_more_memory() {
        let (batch, schema) = (batch(), schema());
        let whole = batch.to_arrow(&schema).expect("types agree");
        let starts = (0..ROWS).step_by(100);
        let parts = starts.map(|start| own_rows(&batch, &(start..start + 100), &schema));
        let parts: Vec<RecordBatch> = parts.map(|part| part.expect("types agree")).collect();
        let together = concat_batches(&schema, &parts).expect("one schema");
        assert_eq!(text_of(&[together]), text_of(std::slice::from_ref(&whole)));
        let bytes: usize = parts.iter().map(RecordBatch::get_array_memory_size).sum();
        assert!(bytes < 3 * whole.get_array_memory_size(), "{bytes} bytes");
        let hosts = parts[0].column(1).as_dictionary::<Int32Type>();
        assert_eq!(hosts.values().len(), 2, "of the twenty only those that occur");
    }

    #[test]
    fn no_columns_still_have_rows() {
        let rows = own_rows(&batch(), &(10..15), &Arc::new(Schema::empty()));
        assert_eq!(rows.expect("no types").num_rows(), 5);
    }

    #[test]
    fn a_column_of_another_type_is_refused() {
        let schema = Schema::new(vec![arrow_field(&name("x"), ColumnKind::Field(FieldType::F64))]);
        assert!(own_rows(&batch(), &(0..5), &Arc::new(schema)).is_err());
    }
}
