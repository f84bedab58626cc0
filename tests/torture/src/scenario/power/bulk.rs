//! Large requests whose values no encoding makes small, so that groups of the log are many pages.

use reqwest::blocking::Client;

use crate::error::Error;
use crate::http;
use crate::load::Load;
use crate::report::Totals;
use crate::workload::Workload;

/// About ten pages of the log each.
const ROWS: u64 = 300;
const CLIENTS: usize = 2;

/// The requests, and what was found of them.
#[derive(Debug)]
pub(super) struct Bulk {
    load: Load,
    client: Client,
    found: Totals,
}

impl Bulk {
    pub(super) fn new() -> Result<Self, Error> {
        let (load, client) = (Load::new(ROWS), http::client()?);
        Ok(Self { load, client, found: Totals::default() })
    }

    /// Runs `work` while its clients are busy.
    pub(super) fn during<T>(&self, url: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
        self.load.closed(url, CLIENTS, work)
    }

    /// Counts the rows of each request; what is wrong with them is a promise broken in `workload`.
    pub(super) fn judge(&mut self, workload: &Workload, url: &str) -> Result<(), Error> {
        // Before that there may be no table.
        if self.load.rows_acked() == 0 {
            return Ok(());
        }
        let (reads, rows_read) = (self.found.reads, self.found.rows_read);
        self.found = self.load.judge(&self.client, url)?;
        if !self.found.is_clean() {
            workload.broke(format!("large requests are not as they were: {:?}", self.found));
        }
        self.found.reads += reads;
        self.found.rows_read += rows_read;
        Ok(())
    }

    /// All counts, as of the last time that they were judged.
    pub(super) fn totals(&self) -> Totals {
        self.found.clone()
    }
}
