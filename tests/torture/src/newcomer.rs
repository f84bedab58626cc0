//! Somebody whose writes all need the catalog: each is the first one of its table.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use reqwest::blocking::Client;
use serde::Serialize;

use crate::error::Error;
use crate::http::{self, Answer};
use crate::load::DATABASE;
use crate::report::{Totals, millis};

/// What became of such writes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Newcomer {
    /// Answers by status; 0 stands for none.
    pub statuses: BTreeMap<u16, u64>,
    /// The longest that an answer took.
    pub slowest_ms: f64,
    #[serde(skip)]
    acked: Vec<u64>,
    #[serde(skip)]
    refused: Vec<u64>,
    #[serde(skip)]
    next: u64,
}

impl Newcomer {
    /// Writes a row of so many columns to a new table; returns the answer and its text.
    pub(crate) fn knock(
        &mut self,
        (client, url): (&Client, &str),
        columns: u64,
        totals: &mut Totals,
    ) -> (Answer, String) {
        let number = self.next;
        self.next += 1;
        let sent = Instant::now();
        let (answer, text) = http::write_and_read(client, url, DATABASE, line(number, columns));
        self.slowest_ms = self.slowest_ms.max(millis(sent.elapsed()));
        *self.statuses.entry(answer.status.unwrap_or_default()).or_default() += 1;
        if answer.is_acked() {
            self.acked.push(number);
        } else if answer.is_refused() {
            self.refused.push(number);
        }
        match answer.fault() {
            None if answer.status.is_none() => {
                totals.broke("no answer to the first write of a table".to_owned());
            }
            None => {}
            Some(fault) => totals.broke(format!("the first write of a table: {fault}: {text}")),
        }
        (answer, text)
    }

    /// True if nothing was ever in the way of these writes.
    pub(crate) fn is_always_kept(&self) -> bool {
        self.statuses.keys().all(|status| *status == 204)
    }

    /// Looks whether what was kept is there, and what was refused is not.
    pub(crate) fn judge(
        &self,
        client: &Client,
        url: &str,
        totals: &mut Totals,
    ) -> Result<(), Error> {
        let sql = "SELECT table_name FROM information_schema.tables";
        let rows = http::rows(client, url, DATABASE, sql)?;
        let there = |number: u64| {
            let name = table(number);
            rows.iter().any(|row| row["table_name"].as_str() == Some(name.as_str()))
        };
        for (numbers, expected) in [(&self.acked, 1_u64), (&self.refused, 0)] {
            for number in numbers {
                let sql = format!("SELECT count(*) AS n FROM {}", table(*number));
                // A refused write may have left its table, and no row in it.
                let found =
                    if there(*number) { http::number(client, url, DATABASE, &sql)? } else { 0 };
                totals.reads += 1;
                totals.rows_read += found;
                totals.lost += expected.saturating_sub(found);
                totals.phantom += found.saturating_sub(expected);
            }
        }
        Ok(())
    }
}

fn table(number: u64) -> String {
    format!("newcomer{number}")
}

/// One row, with names of columns that no compression makes small.
fn line(number: u64, columns: u64) -> String {
    const WORDS: u64 = 15;
    let mut line = table(number);
    for column in 0..columns {
        line.push(if column == 0 { ' ' } else { ',' });
        for word in 0..WORDS {
            let place = (number * columns + column) * WORDS + word + 1;
            let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            // Text in memory takes all that is written to it.
            let _ = write!(line, "{:016x}", mixed ^ (mixed >> 32));
        }
        line.push_str("=1");
    }
    line.push_str(" 1577836800000000000\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_has_a_table_and_columns_of_its_own() {
        let (one, other) = (line(1, 2), line(2, 2));
        let fields = one.split(' ').nth(1).expect("has fields");
        assert!(one.starts_with("newcomer1 ") && other.starts_with("newcomer2 "));
        assert_eq!(fields.split(',').count(), 2);
        assert!(fields.split(',').all(|field| field.len() == 15 * 16 + 2));
        assert_ne!(fields, other.split(' ').nth(1).expect("has fields"));
    }
}
