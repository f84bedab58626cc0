//! From lines to a write: checked line by line against one version of the schema, gathered into one
//! batch for each table and day.
//!
//! Pure: the same lines, view, time and seed make the same plan. Nothing here waits, and nothing is
//! done in hash order.

mod allowance;
mod arrow;
mod draft;
mod line_error;
mod planner;
mod view;

use std::str;

use types::batch::FieldValue;
use types::effect::Randomness;

use crate::config::Limits;
use crate::error::Error;
use crate::line::{BadLines, Line, RawLine, split, without_empty_tags};
use crate::precision::Precision;

pub(crate) use allowance::Allowance;
pub(crate) use arrow::plan_arrow;
pub(crate) use line_error::LineError;
pub(crate) use planner::{Fault, Planned, Planner, Row};
pub(crate) use view::View;

/// What lines are checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checks<'a> {
    /// One version of the database.
    pub(crate) view: &'a View,
    /// The limits.
    pub(crate) limits: &'a Limits,
    /// What timestamps count.
    pub(crate) precision: Precision,
    /// The time of lines that have none: one reading of the clock a request.
    pub(crate) now_ns: i64,
    /// Draws the ids of what is new.
    pub(crate) randomness: &'a dyn Randomness,
}

/// A body's lines, each kept or told as bad.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is kept, if anything is.
    pub(crate) planned: Option<Planned>,
    /// What is not.
    pub(crate) bad: BadLines,
    /// How many lines there are, comments and blank ones not among them.
    pub(crate) lines: usize,
}

/// Plans the lines of `body`; `memory` grows with the rows and ends up in the plan.
///
/// # Errors
///
/// Only what refuses the whole request: its own limits, and want of memory.
pub(crate) fn plan_lines(
    checks: Checks<'_>,
    body: &[u8],
    memory: Allowance,
) -> Result<Plan, Error> {
    let mut planner = Planner::new(checks.view, checks.limits, memory);
    let mut bad = BadLines::default();
    let mut lines = 0;
    for raw in split(body) {
        lines += 1;
        match plan_line(&mut planner, checks, raw) {
            Ok(()) => {}
            Err(Fault::Row(why)) => bad.push(raw.number, raw.bytes, &why, why.exhausts_names()),
            Err(Fault::Request(error)) => return Err(error),
        }
    }
    Ok(Plan { planned: planner.finish(checks.randomness), bad, lines })
}

fn plan_line(planner: &mut Planner<'_>, checks: Checks<'_>, raw: RawLine<'_>) -> Result<(), Fault> {
    let limit = checks.limits.line_bytes_max;
    if raw.bytes.len() > limit {
        return Err(LineError::LineTooLong { limit }.into());
    }
    let text = str::from_utf8(raw.bytes).map_err(|_| LineError::NotUtf8)?;
    let mended;
    let line = match Line::parse(text) {
        Ok(line) => line,
        Err(why) => {
            mended = without_empty_tags(text).ok_or(LineError::Syntax(why))?;
            Line::parse(&mended).map_err(LineError::Syntax)?
        }
    };
    check_values(&line, checks.limits)?;
    let mut tags: Vec<_> = line.tags().collect();
    check_tags_are_distinct(&mut tags)?;
    let time = match line.timestamp() {
        None => checks.now_ns,
        Some(timestamp) => {
            let in_range = checks.precision.to_ns(timestamp);
            in_range.ok_or(LineError::TimeOutOfRange { timestamp })?
        }
    };
    let row = Row { tags: &mut tags, time, fields: line.fields() };
    planner.add(line.table(), row)
}

fn check_values(line: &Line<'_>, limits: &Limits) -> Result<(), LineError> {
    let (count, limit) = (line.tags().len(), limits.tags_max);
    if count > limit {
        return Err(LineError::TooManyTags { count, limit });
    }
    for (tag, value) in line.tags() {
        check_string(tag, value, limits)?;
    }
    for (field, value) in line.fields() {
        match value {
            FieldValue::Utf8(value) => check_string(field, value, limits)?,
            FieldValue::F64(value) if !value.is_finite() => {
                return Err(LineError::NotFinite { column: field.to_owned() });
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_string(column: &str, value: &str, limits: &Limits) -> Result<(), LineError> {
    let limit = limits.string_bytes_max;
    if value.len() > limit {
        return Err(LineError::StringTooLong { column: column.to_owned(), limit });
    }
    Ok(())
}

fn check_tags_are_distinct(tags: &mut [(&str, &str)]) -> Result<(), LineError> {
    tags.sort_unstable();
    match tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(LineError::DuplicateTag { tag: pair[0].0.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
