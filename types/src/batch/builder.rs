//! Builds batches row by row, or out of other batches.

mod columns;

use arrow::buffer::ScalarBuffer;

use super::series::{SeriesIndex, TagSet};
use super::{Batch, FieldColumn, FieldValue};
use crate::name::ColumnName;
use crate::schema::FieldType;
use columns::Columns;

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

/// Why a batch cannot be added to another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A column has another type.
    #[error(transparent)]
    Type(#[from] TypeClash),
    /// The text of a column would be longer than Arrow's offsets count.
    #[error("the text of column {column} would pass 2 GiB")]
    TextTooLong {
        /// The column.
        column: ColumnName,
    },
}

/// A batch that grows.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    series: SeriesIndex,
    series_of_row: Vec<u32>,
    time: Vec<i64>,
    fields: Columns,
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
        (size_of::<Self>() + self.series.size_bytes() + rows + self.fields.size_bytes()) as u64
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
        let mut next = self.check_types(fields.clone())?;
        let series = self.series.number(tags);
        let row = self.time.len();
        // Backwards, because a later value of one field hides an earlier one.
        for (name, value) in fields.rev() {
            let place = self.fields.find_or_begin(name, value.field_type(), next.wrapping_sub(1));
            next = place;
            let builder = self.fields.at(place);
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
    /// [`AppendError`]; no row is then added.
    pub fn append(&mut self, batch: &Batch) -> Result<(), AppendError> {
        self.check_columns(batch.fields())?;
        let numbers: Vec<u32> =
            batch.series().iter().map(|tags| self.series.number(tags)).collect();
        let rows_before = self.rows();
        let mut next = 0;
        for column in batch.fields() {
            let place = self.fields.find_or_begin(&column.name, column.field_type(), next);
            next = place + 1;
            let builder = self.fields.at(place);
            builder.fill_to(rows_before);
            assert!(builder.extend(column), "type and length were checked before");
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
            .into_columns()
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
        for field in self.fields.iter_mut() {
            field.fill_to(rows);
        }
    }

    /// Returns the place behind the last field's, where a walk backwards begins.
    fn check_types<'v>(
        &self,
        fields: impl Iterator<Item = (&'v ColumnName, FieldValue<'v>)>,
    ) -> Result<usize, TypeClash> {
        let mut next = 0;
        for (name, value) in fields {
            next = self.check_type(name, value.field_type(), next)?.map_or(next, |at| at + 1);
        }
        Ok(next)
    }

    /// The place of the column, if there is one; it may well be `guess`.
    fn check_type(
        &self,
        column: &ColumnName,
        value_type: FieldType,
        guess: usize,
    ) -> Result<Option<usize>, TypeClash> {
        let place = self.fields.find(column, guess);
        match place.map(|place| self.fields.look_at(place).field_type()) {
            Some(column_type) if column_type != value_type => {
                Err(TypeClash { column: column.clone(), column_type, value_type })
            }
            _ => Ok(place),
        }
    }

    fn check_columns(&self, columns: &[FieldColumn]) -> Result<(), AppendError> {
        let mut next = 0;
        for column in columns {
            let Some(place) = self.check_type(&column.name, column.field_type(), next)? else {
                continue;
            };
            next = place + 1;
            if !self.fields.look_at(place).has_room_for(column) {
                return Err(AppendError::TextTooLong { column: column.name.clone() });
            }
        }
        Ok(())
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
