//! Line protocol: a body is split into lines, and each line is parsed for itself, so that a bad one
//! does not spoil the others.
//!
//! This is the only place that knows which parser is used.

mod bad;
mod empty_tags;
mod split;

use influxdb_line_protocol::{Error, FieldValue as ParsedValue, ParsedLine, parse_lines};
use types::batch::FieldValue;

pub(crate) use bad::{BadLine, BadLines};
pub(crate) use empty_tags::without_empty_tags;
pub(crate) use split::{RawLine, split};

/// A line that could be parsed.
#[derive(Debug)]
pub(crate) struct Line<'a>(ParsedLine<'a>);

impl<'a> Line<'a> {
    /// Parses one line that is neither blank nor a comment.
    ///
    /// # Errors
    ///
    /// The parser's own words about the line.
    pub(crate) fn parse(line: &'a str) -> Result<Self, String> {
        match parse_lines(line).next() {
            Some(Ok(line)) => Ok(Self(line)),
            // The parser's own name for where it stood would tell nobody anything.
            Some(Err(Error::GenericParsingError { .. })) => {
                Err("the line is not line protocol".to_owned())
            }
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the line is blank".to_owned()),
        }
    }

    /// The table.
    pub(crate) fn table(&self) -> &str {
        self.0.series.measurement.as_str()
    }

    /// The tags in the order in which they were written.
    pub(crate) fn tags(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let tags = self.0.series.tag_set.as_deref().unwrap_or_default();
        tags.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The fields in the order in which they were written.
    pub(crate) fn fields(&self) -> impl DoubleEndedIterator<Item = (&str, FieldValue<'_>)> + Clone {
        let fields = self.0.field_set.iter();
        fields.map(|(name, value)| (name.as_str(), field_value(value)))
    }

    /// The timestamp, in whatever the request says that it counts.
    pub(crate) const fn timestamp(&self) -> Option<i64> {
        self.0.timestamp
    }
}

fn field_value<'v>(value: &'v ParsedValue<'_>) -> FieldValue<'v> {
    match value {
        ParsedValue::I64(value) => FieldValue::I64(*value),
        ParsedValue::U64(value) => FieldValue::U64(*value),
        ParsedValue::F64(value) => FieldValue::F64(*value),
        ParsedValue::Boolean(value) => FieldValue::Bool(*value),
        ParsedValue::String(value) => FieldValue::Utf8(value.as_str()),
    }
}

#[cfg(test)]
mod tests;
