//! Rows, and how they are written.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// One row: a point with some of its fields. Values are drawn from the ledger and never repeat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Row {
    /// The table.
    pub table: String,
    /// The value of the only tag, which is named `series`.
    pub series: String,
    /// Nanoseconds.
    pub time: i64,
    /// Fields that have a value, each once.
    pub fields: Vec<(String, i64)>,
}

impl Row {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<i64> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }
}

/// Rows as lines, with times in nanoseconds: `table,series=s a=1i,b=2i <time>\n`.
pub fn line_protocol(rows: &[Row]) -> String {
    let mut lines = String::new();
    for row in rows {
        escape(&row.table, &[',', ' '], &mut lines);
        lines.push_str(",series=");
        escape(&row.series, &[',', ' ', '='], &mut lines);
        for (at, (name, value)) in row.fields.iter().enumerate() {
            lines.push(if at == 0 { ' ' } else { ',' });
            escape(name, &[',', ' ', '='], &mut lines);
            push(&mut lines, format_args!("={value}i"));
        }
        push(&mut lines, format_args!(" {}\n", row.time));
    }
    lines
}

fn escape(text: &str, special: &[char], lines: &mut String) {
    for letter in text.chars() {
        if special.contains(&letter) {
            lines.push('\\');
        }
        lines.push(letter);
    }
}

fn push(lines: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = lines.write_fmt(text);
}
