//! Builds batches row by row, or out of other batches.

use arrow::buffer::ScalarBuffer;

use super::field::FieldBuilder;
use super::series::{SeriesIndex, TagSet};
use super::{Batch, FieldColumn, FieldValue};
use crate::name::ColumnName;
use crate::schema::FieldType;

/// A value of one type was to go into a column of another.
///
/// Whoever builds a batch has checked its rows against the table's schema, so this is a fault of
/// that check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} holds values of type {column_type}, not {value_type}")]
pub struct TypeClash {
    /// The column.
    pub column: ColumnName,
    /// What it holds.
    pub column_type: FieldType,
    /// What was to go into it.
    pub value_type: FieldType,
}

/// A batch that grows.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    series: SeriesIndex,
    series_of_row: Vec<u32>,
    time: Vec<i64>,
    /// In the order in which they were first seen; lines repeat that order.
    fields: Vec<(ColumnName, FieldBuilder)>,
}

impl BatchBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of rows so far.
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// The number of distinct tag sets so far.
    pub fn series_count(&self) -> usize {
        self.series.set().len()
    }

    /// The bytes held in memory.
    pub fn size_bytes(&self) -> u64 {
        let rows = self.series_of_row.capacity() * size_of::<u32>()
            + self.time.capacity() * size_of::<i64>();
        let fields: usize = self.fields.iter().map(|(_, field)| field.size_bytes()).sum();
        (size_of::<Self>() + self.series.size_bytes() + rows + fields) as u64
    }

    /// Adds a row. A field that comes twice keeps its last value.
    ///
    /// # Errors
    ///
    /// [`TypeClash`]; the row is then not there.
    pub fn push_row<'v>(
        &mut self,
        tags: TagSet<'_>,
        time: i64,
        fields: impl DoubleEndedIterator<Item = (&'v ColumnName, FieldValue<'v>)> + Clone,
    ) -> Result<(), TypeClash> {
        self.check_types(fields.clone())?;
        let series = self.series.number(tags);
        let row = self.time.len();
        // Backwards, because a later value of one field hides an earlier one.
        for (name, value) in fields.rev() {
            let builder = self.column(name, value.field_type());
            builder.fill_to(row);
            if builder.len() == row {
                let taken = builder.push(value);
                debug_assert!(taken, "types were checked before");
            }
        }
        self.series_of_row.push(series);
        self.time.push(time);
        Ok(())
    }

    /// Adds all rows of `batch` after those that are there.
    ///
    /// # Errors
    ///
    /// [`TypeClash`]; no row is then added.
    pub fn append(&mut self, batch: &Batch) -> Result<(), TypeClash> {
        for column in batch.fields() {
            self.check_type(&column.name, column.field_type())?;
        }
        let numbers: Vec<u32> =
            batch.series().iter().map(|tags| self.series.number(tags)).collect();
        let rows_before = self.rows();
        for column in batch.fields() {
            let builder = self.column(&column.name, column.field_type());
            builder.fill_to(rows_before);
            let taken = builder.extend(column);
            debug_assert!(taken, "types were checked before");
        }
        self.series_of_row
            .extend(batch.series_of_row().iter().map(|series| numbers[*series as usize]));
        self.time.extend_from_slice(batch.time());
        Ok(())
    }

    /// The batch.
    pub fn finish(mut self) -> Batch {
        self.fill_all();
        let mut fields: Vec<FieldColumn> = self
            .fields
            .into_iter()
            .map(|(name, field)| FieldColumn { name, values: field.finish() })
            .collect();
        fields.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Batch::new(
            self.series.into_set(),
            ScalarBuffer::from(self.series_of_row),
            ScalarBuffer::from(self.time),
            fields,
        )
    }

    /// A copy of what is there, while more may be added: costs by the rows, so keep them few.
    pub fn snapshot(&mut self) -> Batch {
        self.fill_all();
        let mut fields: Vec<FieldColumn> = self
            .fields
            .iter()
            .map(|(name, field)| FieldColumn { name: name.clone(), values: field.snapshot() })
            .collect();
        fields.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Batch::new(
            self.series.set().clone(),
            ScalarBuffer::from(self.series_of_row.clone()),
            ScalarBuffer::from(self.time.clone()),
            fields,
        )
    }

    fn fill_all(&mut self) {
        let rows = self.rows();
        for (_, field) in &mut self.fields {
            field.fill_to(rows);
        }
    }

    fn check_types<'v>(
        &self,
        fields: impl Iterator<Item = (&'v ColumnName, FieldValue<'v>)>,
    ) -> Result<(), TypeClash> {
        for (name, value) in fields {
            self.check_type(name, value.field_type())?;
        }
        Ok(())
    }

    fn check_type(&self, column: &ColumnName, value_type: FieldType) -> Result<(), TypeClash> {
        let known = self.fields.iter().find(|(name, _)| name == column);
        match known.map(|(_, field)| field.field_type()) {
            Some(column_type) if column_type != value_type => {
                Err(TypeClash { column: column.clone(), column_type, value_type })
            }
            _ => Ok(()),
        }
    }

    fn column(&mut self, name: &ColumnName, field_type: FieldType) -> &mut FieldBuilder {
        let known = self.fields.iter().position(|(column, _)| column == name);
        let at = known.unwrap_or_else(|| {
            self.fields.push((name.clone(), FieldBuilder::new(field_type)));
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::TagSetBuilder;

    fn push(
        builder: &mut BatchBuilder,
        host: &str,
        time: i64,
        fields: &[(&str, FieldValue<'_>)],
    ) -> Result<(), TypeClash> {
        let mut tags = TagSetBuilder::default();
        let named: Vec<_> = fields
            .iter()
            .map(|(name, value)| (ColumnName::new(name).expect("a good name"), *value))
            .collect();
        let fields = named.iter().map(|(name, value)| (name, *value));
        builder.push_row(tags.build(&mut [("host", host)]), time, fields)
    }

    #[test]
    fn absent_fields_are_null_before_and_after() {
        let mut builder = BatchBuilder::new();
        push(&mut builder, "a", 1, &[("x", FieldValue::I64(1))]).expect("fits");
        push(&mut builder, "b", 2, &[("y", FieldValue::Bool(true))]).expect("fits");
        push(&mut builder, "a", 3, &[]).expect("fits");
        let seen_between = builder.snapshot();
        let batch = builder.finish();
        assert_eq!(batch, seen_between);
        assert_eq!((batch.rows(), batch.series().len()), (3, 2));
        assert_eq!(batch.field("x").expect("is there").values.null_count(), 2);
        assert_eq!(batch.field("y").expect("is there").values.null_count(), 2);
        assert_eq!(batch.time_range(), Some(1..=3));
    }

    #[test]
    fn a_field_that_comes_twice_keeps_its_last_value() {
        let mut builder = BatchBuilder::new();
        push(&mut builder, "a", 1, &[("x", FieldValue::I64(1)), ("x", FieldValue::I64(2))])
            .expect("fits");
        let batch = builder.finish();
        let mut expected = BatchBuilder::new();
        push(&mut expected, "a", 1, &[("x", FieldValue::I64(2))]).expect("fits");
        assert_eq!(batch, expected.finish());
    }

    #[test]
    fn a_value_of_another_type_adds_nothing() {
        let mut builder = BatchBuilder::new();
        push(&mut builder, "a", 1, &[("x", FieldValue::I64(1))]).expect("fits");
        let clash =
            push(&mut builder, "b", 2, &[("n", FieldValue::I64(1)), ("x", FieldValue::F64(1.0))]);
        assert_eq!(clash.expect_err("x is an integer").value_type, FieldType::F64);
        let batch = builder.finish();
        assert_eq!((batch.rows(), batch.series().len(), batch.fields().len()), (1, 1, 1));
    }

    #[test]
    fn batches_are_appended_with_their_series_renumbered() {
        let mut first = BatchBuilder::new();
        push(&mut first, "a", 1, &[("x", FieldValue::I64(1))]).expect("fits");
        let mut second = BatchBuilder::new();
        push(&mut second, "b", 2, &[("y", FieldValue::Utf8("ü"))]).expect("fits");
        push(&mut second, "a", 3, &[("x", FieldValue::I64(3))]).expect("fits");
        let mut all = BatchBuilder::new();
        all.append(&first.finish()).expect("fits");
        all.append(&second.finish()).expect("fits");
        let all = all.finish();
        assert_eq!(all.series_of_row(), [0, 1, 0]);
        assert_eq!(all.field("y").expect("is there").values.null_count(), 2);
    }
}
