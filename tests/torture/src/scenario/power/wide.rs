//! Rows of new tables with many columns, so that what the catalog writes is more than a page.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use reqwest::blocking::Client;

use crate::error::Error;
use crate::http;
use crate::workload::Workload;

const DATABASE: &str = "wide";
const COLUMNS: u64 = 400;
/// Tables that are made before one cut, at most.
const TABLES_MAX: usize = 50;
/// 2020-01-01.
const TIME: u64 = 1_577_836_800_000_000_000;

/// The tables, by numbers.
#[derive(Debug)]
pub(super) struct Wide {
    client: Client,
    next: AtomicU64,
    /// Those whose row was acknowledged, and not looked for since.
    acked: Mutex<Vec<u64>>,
}

impl Wide {
    pub(super) fn new() -> Result<Self, Error> {
        let client = http::client()?;
        Ok(Self { client, next: AtomicU64::new(0), acked: Mutex::default() })
    }

    /// Writes until the server is gone.
    pub(super) fn write(&self, workload: &Workload, url: &str) {
        for _ in 0..TABLES_MAX {
            let table = self.next.fetch_add(1, Ordering::Relaxed);
            let answer = http::write(&self.client, url, DATABASE, line(table));
            if let Some(fault) = answer.fault() {
                workload.broke(fault);
            }
            if answer.is_acked() {
                self.acked.lock().push(table);
            }
            if answer.status.is_none() {
                return;
            }
        }
    }

    /// Looks for each row that was acknowledged.
    pub(super) fn judge(&self, workload: &Workload, url: &str) -> Result<(), Error> {
        for table in self.acked.lock().drain(..) {
            let sql = format!("SELECT count(*) AS n FROM w{table}");
            let rows = http::number(&self.client, url, DATABASE, &sql)?;
            if rows != 1 {
                workload.broke(format!("the wide table {table} has {rows} rows instead of one"));
            }
        }
        Ok(())
    }
}

/// One row, with names of columns that no encoding makes small.
fn line(table: u64) -> String {
    let mut text = format!("w{table} ");
    for column in 0..COLUMNS {
        let mixed = (table * COLUMNS + column + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let comma = if column == 0 { "" } else { "," };
        // Text in memory takes all that is written to it.
        let _ = write!(text, "{comma}f{mixed:016x}=1i");
    }
    let _ = writeln!(text, " {TIME}");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_table_has_columns_of_its_own() {
        let columns: BTreeSet<_> = [line(0), line(1)]
            .iter()
            .flat_map(|line| line.split([' ', ',']).map(str::to_owned).collect::<Vec<_>>())
            .filter(|word| word.ends_with("=1i"))
            .collect();
        assert_eq!(columns.len() as u64, 2 * COLUMNS);
        assert!(line(0).starts_with("w0 f9e3779b97f4a7c15=1i,"));
    }
}
