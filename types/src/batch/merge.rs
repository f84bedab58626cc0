//! Sorts batches by a sort key and keeps of each point its newest values, field by field.
//!
//! Rows are not compared: the distinct tag sets are ranked once, a counting sort brings the rows of
//! a series together in the order in which they came, and only a series whose times do not rise is
//! sorted (stably, by time). So rows of one point stand together, oldest first.

use std::sync::Arc;

use arrow::array::{Array, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::error::ArrowError;

use super::{AppendError, Batch, BatchBuilder, FieldColumn, SeriesSet};
use crate::sort_key::SortKey;

/// Why batches could not be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The batches do not fit together: they are of different tables, or too much.
    #[error("gather batches")]
    Append(#[from] AppendError),
    /// A column could not be gathered.
    #[error("gather a column")]
    Gather(#[from] ArrowError),
}

/// All rows of `batches` as one batch, sorted by `key` and `time`, one row a point.
///
/// `batches` stand in the order (term, LSN), as their rows do; a point has, field by field, the
/// newest value that is not null in that order. Tags that the key does not name sort after it in
/// name order, so the order is total whatever the key. The numbers of series rise with the rows.
///
/// # Errors
///
/// [`MergeError`], only if the batches are not of one table or hold more than 2 GiB of one text.
pub fn merge(batches: &[Arc<Batch>], key: &SortKey) -> Result<Batch, MergeError> {
    match batches {
        [one] => sort_and_deduplicate(one, key),
        many => {
            let mut all = BatchBuilder::new();
            for batch in many {
                all.append(batch)?;
            }
            sort_and_deduplicate(&all.finish(), key)
        }
    }
}

fn sort_and_deduplicate(batch: &Batch, key: &SortKey) -> Result<Batch, MergeError> {
    let ranked = RankedSeries::new(batch.series(), key);
    let rows = ranked.rows_in_order(batch);
    let points = Points::find(batch, &rows);
    let series_of_row =
        points.starts().map(|at| ranked.rank_of_series[batch.series_of_row[rows[at]] as usize]);
    let time = points.starts().map(|at| batch.time[rows[at]]);
    let mut fields = Vec::with_capacity(batch.fields.len());
    for field in &batch.fields {
        let newest = points.newest(&rows, field);
        let values = take(&field.values, &newest, None)?;
        fields.push(FieldColumn { name: field.name.clone(), values });
    }
    Ok(Batch::new(
        ranked.series,
        series_of_row.collect::<Vec<u32>>().into(),
        time.collect::<ScalarBuffer<i64>>(),
        fields,
    ))
}

/// The series of a batch in the order of a sort key.
struct RankedSeries {
    series: SeriesSet,
    rank_of_series: Vec<u32>,
}

impl RankedSeries {
    fn new(series: &SeriesSet, key: &SortKey) -> Self {
        let key = key.extended(series.tags());
        let columns: Vec<Vec<Option<&str>>> =
            key.tags().iter().map(|tag| series.tag_values(tag.as_str())).collect();
        let mut order: Vec<u32> = (0..series.len() as u32).collect();
        // `None` is less than any value: nulls sort first.
        order.sort_unstable_by(|a, b| {
            columns
                .iter()
                .map(|column| column[*a as usize].cmp(&column[*b as usize]))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut ranked = SeriesSet::default();
        let mut rank_of_series = vec![0; series.len()];
        for number in order {
            rank_of_series[number as usize] = ranked.push(series.get(number));
        }
        Self { series: ranked, rank_of_series }
    }

    /// The rows of `batch` by rank and time; rows of one point in the order in which they came.
    fn rows_in_order(&self, batch: &Batch) -> Vec<usize> {
        let mut ends = vec![0_usize; self.series.len() + 1];
        let ranks =
            || batch.series_of_row.iter().map(|s| self.rank_of_series[*s as usize] as usize);
        for rank in ranks() {
            ends[rank + 1] += 1;
        }
        for rank in 0..self.series.len() {
            ends[rank + 1] += ends[rank];
        }
        let mut next = ends.clone();
        let mut rows = vec![0; batch.rows()];
        for (row, rank) in ranks().enumerate() {
            rows[next[rank]] = row;
            next[rank] += 1;
        }
        for bounds in ends.windows(2) {
            let of_series = &mut rows[bounds[0]..bounds[1]];
            if !of_series.is_sorted_by_key(|row| batch.time[*row]) {
                of_series.sort_by_key(|row| batch.time[*row]);
            }
        }
        rows
    }
}

/// Where each point begins among sorted rows.
struct Points {
    /// The first position of each point, and the number of rows at the end.
    bounds: Vec<usize>,
}

impl Points {
    fn find(batch: &Batch, rows: &[usize]) -> Self {
        let point = |at: usize| (batch.series_of_row[rows[at]], batch.time[rows[at]]);
        let mut bounds: Vec<usize> =
            (0..rows.len()).filter(|at| *at == 0 || point(*at) != point(*at - 1)).collect();
        bounds.push(rows.len());
        Self { bounds }
    }

    fn starts(&self) -> impl Iterator<Item = usize> {
        self.bounds.iter().copied().take(self.bounds.len() - 1)
    }

    /// The row of each point that has the newest value of `field`.
    fn newest(&self, rows: &[usize], field: &FieldColumn) -> UInt32Array {
        let values = &field.values;
        self.bounds
            .windows(2)
            .map(|bounds| {
                let of_point = &rows[bounds[0]..bounds[1]];
                let newest = of_point.iter().rev().find(|row| values.is_valid(**row));
                newest.map(|row| *row as u32)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;
    use crate::batch::{FieldValue, TagSetBuilder};
    use crate::name::ColumnName;

    type Row = (u8, u8, i64, Option<i64>, Option<i64>);
    type Point = (Option<String>, Option<String>, i64);
    type Values = (Option<i64>, Option<i64>);

    fn name(text: &str) -> ColumnName {
        ColumnName::new(text).expect("a good name")
    }

    fn tag(prefix: &str, number: u8) -> String {
        if number == 0 { String::new() } else { format!("{prefix}{number}") }
    }

    fn batch_of(rows: &[Row]) -> Arc<Batch> {
        let (x, y) = (name("x"), name("y"));
        let mut tags = TagSetBuilder::default();
        let mut builder = BatchBuilder::new();
        for (a, b, time, x_value, y_value) in rows {
            let (a, b) = (tag("a", *a), tag("b", *b));
            let tags = tags.build(&mut [("a", &a), ("b", &b)]);
            let fields: Vec<_> = [(&x, x_value), (&y, y_value)]
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name, FieldValue::I64(value))))
                .collect();
            builder.push_row(tags, *time, fields.into_iter()).expect("one type");
        }
        Arc::new(builder.finish())
    }

    fn model(rows: &[Row]) -> BTreeMap<Point, Values> {
        let mut points = BTreeMap::new();
        let some = |text: String| (!text.is_empty()).then_some(text);
        for (a, b, time, x, y) in rows {
            // The key under test is (b, a, time).
            let entry = points
                .entry((some(tag("b", *b)), some(tag("a", *a)), *time))
                .or_insert((None, None));
            *entry = (x.or(entry.0), y.or(entry.1));
        }
        points
    }

    fn read(batch: &Batch) -> Vec<(Point, Values)> {
        let value = |field: &str, row: usize| {
            let column = batch.field(field)?.values.as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        (0..batch.rows())
            .map(|row| {
                let tags = batch.series().get(batch.series_of_row()[row]);
                let tag = |name| tags.value(name).map(str::to_owned);
                ((tag("b"), tag("a"), batch.time()[row]), (value("x", row), value("y", row)))
            })
            .collect()
    }

    fn check(rows: &[Row], cut: usize) {
        let key = SortKey::new(vec![name("b")]);
        let cut = cut.min(rows.len());
        let batches = [batch_of(&rows[..cut]), batch_of(&rows[cut..])];
        let merged = merge(&batches, &key).expect("one table");
        assert_eq!(read(&merged), model(rows).into_iter().collect::<Vec<_>>());
        assert!(merged.series_of_row().is_sorted());
    }

    #[test]
    fn a_point_has_its_newest_value_field_by_field() {
        check(
            &[(1, 1, 5, Some(1), Some(1)), (1, 1, 5, None, Some(2)), (1, 1, 5, Some(3), None)],
            2,
        );
    }

    #[test]
    fn no_rows_merge_into_none() {
        check(&[], 0);
    }

    proptest! {
        #[test]
        fn any_rows_agree_with_the_model(
            rows in prop::collection::vec(
                (0_u8..4, 0_u8..3, -3_i64..4, any::<Option<i64>>(), any::<Option<i64>>()), 0..60),
            cut in 0_usize..60,
        ) {
            check(&rows, cut);
        }
    }
}
