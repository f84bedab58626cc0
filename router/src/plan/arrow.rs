//! From Arrow batches to a write: what does not fit is refused whole, naming the column.

mod column;

use arrow::array::{Array, AsArray, RecordBatch, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimeUnit, TimestampNanosecondType};
use types::batch::FieldValue;
use types::effect::Randomness;
use types::name::TIME;
use types::schema::ColumnKind;

use self::column::{FieldValues, TextValues, kind_of, resolve};
use super::{Allowance, Fault, Planned, Planner, Row, View};
use crate::config::Limits;
use crate::edge::ArrowTable;
use crate::error::{ColumnFault, Error};

/// Plans the rows of `tables`; `memory` grows with them and ends up in the plan. Nothing is planned
/// for no rows.
///
/// # Errors
///
/// The first thing that does not fit.
pub(crate) fn plan_arrow(
    view: &View,
    limits: &Limits,
    tables: &[ArrowTable],
    memory: Allowance,
    randomness: &dyn Randomness,
) -> Result<Option<Planned>, Error> {
    let mut planner = Planner::new(view, limits, memory);
    for table in tables {
        for batch in &table.batches {
            let rows = Rows::new(&planner, table.name.as_str(), batch, limits)?;
            rows.add_to(&mut planner)?;
        }
    }
    Ok(planner.finish(randomness))
}

/// One Arrow batch, its columns in the form in which rows are read.
#[derive(Debug)]
struct Rows<'a> {
    table: &'a str,
    time_name: &'a str,
    time: TimestampNanosecondArray,
    tags: Vec<(&'a str, TextValues)>,
    fields: Vec<(&'a str, FieldValues)>,
    tags_max: usize,
}

impl<'a> Rows<'a> {
    fn new(
        planner: &Planner<'_>,
        table: &'a str,
        batch: &'a RecordBatch,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let fault = |column: &str, reason| Error::Column {
            table: table.to_owned(),
            column: column.to_owned(),
            reason,
        };
        let schema = batch.schema_ref();
        let time_at = time_column(batch).ok_or_else(|| fault(TIME, ColumnFault::NoTime))?;
        let time_name = schema.field(time_at).name().as_str();
        let mut rows = Self {
            table,
            time_name,
            time: nanoseconds(batch, time_at).map_err(|reason| fault(time_name, reason))?,
            tags: Vec::new(),
            fields: Vec::new(),
            tags_max: limits.tags_max,
        };
        for (at, field) in schema.fields().iter().enumerate() {
            if at == time_at {
                continue;
            }
            let known = planner.kind(table, field.name());
            let column = batch.column(at);
            rows.take_column(field, column, known, limits)
                .map_err(|reason| fault(field.name(), reason))?;
        }
        rows.check_names_are_distinct()?;
        Ok(rows)
    }

    fn take_column(
        &mut self,
        field: &'a Field,
        column: &dyn Array,
        known: Option<ColumnKind>,
        limits: &Limits,
    ) -> Result<(), ColumnFault> {
        let given = kind_of(field)?;
        let name = field.name().as_str();
        match resolve(known, given, field.data_type())? {
            ColumnKind::Tag => {
                let values = TextValues::new(column, limits.string_bytes_max)?;
                self.tags.push((name, values));
            }
            ColumnKind::Field(field_type) => {
                let values = FieldValues::new(column, field_type, limits.string_bytes_max)?;
                self.fields.push((name, values));
            }
            // A second timestamp column; `kind_of` names none so.
            ColumnKind::Time => return Err(ColumnFault::Type(field.data_type().to_string())),
        }
        Ok(())
    }

    fn check_names_are_distinct(&self) -> Result<(), Error> {
        let tags = self.tags.iter().map(|(name, _)| *name);
        let mut names: Vec<&str> = tags.chain(self.fields.iter().map(|(name, _)| *name)).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(self.fault(pair[0], ColumnFault::Twice)),
            None => Ok(()),
        }
    }

    fn add_to(&self, planner: &mut Planner<'_>) -> Result<(), Error> {
        let mut tags: Vec<(&str, &str)> = Vec::with_capacity(self.tags.len());
        let mut fields: Vec<(&str, FieldValue<'_>)> = Vec::with_capacity(self.fields.len());
        for row in 0..self.time.len() {
            if self.time.is_null(row) {
                return Err(self.fault(self.time_name, ColumnFault::NullTime { row }));
            }
            tags.clear();
            let values = self.tags.iter();
            tags.extend(values.filter_map(|(name, values)| Some((*name, values.value(row)?))));
            tags.retain(|(_, value)| !value.is_empty());
            if tags.len() > self.tags_max {
                let limit = self.tags_max;
                return Err(
                    self.refused(format!("row {row} has more than the limit of {limit} tags"))
                );
            }
            fields.clear();
            let values = self.fields.iter();
            fields.extend(values.filter_map(|(name, values)| Some((*name, values.value(row)?))));
            let row =
                Row { tags: &mut tags, time: self.time.value(row), fields: fields.iter().copied() };
            planner.add(self.table, row).map_err(|fault| self.whole(fault))?;
        }
        Ok(())
    }

    fn fault(&self, column: &str, reason: ColumnFault) -> Error {
        Error::Column { table: self.table.to_owned(), column: column.to_owned(), reason }
    }

    fn refused(&self, reason: String) -> Error {
        Error::Row { table: self.table.to_owned(), reason }
    }

    /// A row that is not kept refuses the request.
    fn whole(&self, fault: Fault) -> Error {
        match fault {
            Fault::Request(error) => error,
            Fault::Row(why) if why.exhausts_names() => Error::NamesExhausted(why.to_string()),
            Fault::Row(why) => self.refused(why.to_string()),
        }
    }
}

/// The column called `time`, or the only timestamp.
fn time_column(batch: &RecordBatch) -> Option<usize> {
    let is_timestamp = |field: &Field| matches!(field.data_type(), DataType::Timestamp(_, _));
    let fields = batch.schema_ref().fields();
    if let Some((at, field)) = batch.schema_ref().column_with_name(TIME) {
        return is_timestamp(field).then_some(at);
    }
    let mut timestamps = (0..fields.len()).filter(|at| is_timestamp(&fields[*at]));
    let only = timestamps.next()?;
    timestamps.next().is_none().then_some(only)
}

/// A timestamp column in nanoseconds; what they cannot hold is null.
fn nanoseconds(batch: &RecordBatch, at: usize) -> Result<TimestampNanosecondArray, ColumnFault> {
    let column = batch.column(at);
    let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, zone(column.data_type()));
    let cast = cast(column, &nanoseconds).map_err(|error| ColumnFault::Type(error.to_string()))?;
    Ok(cast.as_primitive::<TimestampNanosecondType>().clone())
}

/// A zone says how a time is shown, never when it was: it is kept for the cast and then ignored.
fn zone(data_type: &DataType) -> Option<std::sync::Arc<str>> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}
