//! Columns that stand below each other.

use std::io::{self, Write};

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table that is written when it is complete, each column as wide as its widest cell.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    align: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these columns.
    pub(super) fn new(columns: [(&str, Align); N]) -> Self {
        let head = columns.map(|(name, _)| name.to_owned());
        Self { align: columns.map(|(_, align)| align), rows: vec![head] }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// Writes all rows.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
        for row in &self.rows {
            writeln!(out, "{}", self.line(row, &widths).trim_end())?;
        }
        Ok(())
    }

    fn line(&self, row: &[String; N], widths: &[usize; N]) -> String {
        let cells = row.iter().zip(widths).zip(self.align);
        let cells = cells.map(|((cell, width), align)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new([("N", Align::Right), ("WORD", Align::Left)]);
        table.push(["1".to_owned(), "one".to_owned()]);
        table.push(["100".to_owned(), "hundred".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).expect("memory takes bytes");
        assert_eq!(String::from_utf8_lossy(&out), "  N  WORD\n  1  one\n100  hundred\n");
    }
}
