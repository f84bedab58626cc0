//! What a scenario found out: counts for machines, and whether a promise was broken.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Write};
use std::time::Duration;

use checker::{Fault, Verdict};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// After so many ends of servers the files must have been read, too.
const CRASHES_UNREAD_MAX: u64 = 50;

/// The result of one scenario.
pub trait Report: Debug + Serialize {
    /// The scenario's name.
    const SCENARIO: &'static str;

    /// What was done and what was found wrong.
    fn totals(&self) -> &Totals;

    /// True if no promise was broken, and enough was looked at to say so.
    fn is_clean(&self) -> bool {
        self.totals().is_clean() && self.totals().unread().is_none()
    }

    /// Prints one line of JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if standard output does not take it.
    fn print(&self) -> Result<(), Error> {
        let mut line = serde_json::to_value(self)
            .map_err(|error| Error::answer("the report as JSON", &error))?;
        if let Some(object) = line.as_object_mut() {
            object.insert("scenario".to_owned(), Self::SCENARIO.into());
            object.insert("clean".to_owned(), self.is_clean().into());
            let broken = object.get_mut("broken").and_then(Value::as_array_mut);
            if let (Some(unread), Some(broken)) = (self.totals().unread(), broken) {
                broken.push(unread.into());
            }
        }
        let what = "print the report".to_owned();
        writeln!(io::stdout(), "{line}").map_err(|source| Error::Io { what, source })
    }
}

/// What clients did and what the ledger says to it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Requests that were acknowledged.
    pub requests_acked: u64,
    /// Requests that were refused.
    pub requests_rejected: u64,
    /// Requests whose outcome nobody told.
    pub requests_unknown: u64,
    /// Rows of acknowledged requests.
    pub rows_acked: u64,
    /// Answers to writes by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Views that were judged.
    pub reads: u64,
    /// Rows in them.
    pub rows_read: u64,
    /// Queries that were refused or got no answer.
    pub reads_refused: u64,
    /// Times that everything was read from the files that the catalog names, without the server.
    pub file_readings: u64,
    /// Ends of servers that a ledger was told of.
    pub crashes: u64,
    /// Acknowledged values that were not there.
    pub lost: u64,
    /// Values that nobody sent, or that were refused.
    pub phantom: u64,
    /// Points that were there twice in one view.
    pub double: u64,
    /// Requests that were there in part.
    pub torn: u64,
    /// Values where a newer one had been acknowledged.
    pub stale: u64,
    /// Values that an earlier query saw and a later one did not.
    pub regressed: u64,
    /// Other broken promises, in words.
    pub broken: Vec<String>,
}

impl Totals {
    /// True if no promise was broken.
    pub fn is_clean(&self) -> bool {
        let faults = [self.lost, self.phantom, self.double, self.torn, self.stale, self.regressed];
        self.broken.is_empty() && faults.iter().all(|count| *count == 0)
    }

    /// What is wrong if many servers have ended and what they left was seen by their eyes only.
    pub(crate) fn unread(&self) -> Option<String> {
        let crashes = self.crashes;
        let is_unread = crashes >= CRASHES_UNREAD_MAX && self.file_readings == 0;
        is_unread.then(|| format!("{crashes} ends of servers, and the files were never read"))
    }

    /// Counts a verdict, and tells it if it is bad.
    pub(crate) fn judged(&mut self, whence: &str, rows: usize, verdict: &Verdict) {
        self.reads += 1;
        self.rows_read += rows as u64;
        for fault in &verdict.faults {
            *match fault {
                Fault::Lost { .. } => &mut self.lost,
                Fault::Phantom { .. } => &mut self.phantom,
                Fault::Double { .. } => &mut self.double,
                Fault::Torn { .. } => &mut self.torn,
                Fault::Stale { .. } => &mut self.stale,
                Fault::Regressed { .. } => &mut self.regressed,
            } += 1;
        }
        if !verdict.is_clean() {
            tell(&format!("WRONG, {whence}:\n{verdict}"));
        }
    }

    /// Counts a broken promise, and tells it.
    pub(crate) fn broke(&mut self, promise: String) {
        tell(&format!("BROKEN: {promise}"));
        self.broken.push(promise);
    }

    /// Counts how a write was answered.
    pub(crate) fn answered(&mut self, status: Option<u16>, rows: usize) {
        if let Some(status) = status {
            *self.statuses.entry(status).or_default() += 1;
        }
        match status {
            Some(204) => {
                self.requests_acked += 1;
                self.rows_acked += rows as u64;
            }
            Some(429 | 503) => self.requests_rejected += 1,
            _ => self.requests_unknown += 1,
        }
    }

    /// Adds what one more look at the same requests has found.
    pub(crate) fn saw(&mut self, again: &Self) {
        self.reads += again.reads;
        self.rows_read += again.rows_read;
        self.lost += again.lost;
        self.phantom += again.phantom;
        self.double += again.double;
        self.torn += again.torn;
    }

    /// Adds what was found elsewhere.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.requests_acked += other.requests_acked;
        self.requests_rejected += other.requests_rejected;
        self.requests_unknown += other.requests_unknown;
        self.rows_acked += other.rows_acked;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.reads += other.reads;
        self.rows_read += other.rows_read;
        self.reads_refused += other.reads_refused;
        self.file_readings += other.file_readings;
        self.crashes += other.crashes;
        self.lost += other.lost;
        self.phantom += other.phantom;
        self.double += other.double;
        self.torn += other.torn;
        self.stale += other.stale;
        self.regressed += other.regressed;
        self.broken.extend(other.broken);
    }
}

/// How a set of times is spread.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Half of them were shorter, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were shorter.
    pub p99_ms: f64,
    /// 999 of 1,000 were shorter.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Spread {
    /// The spread of `times`.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |part: f64| {
            let index = (times.len() as f64 * part) as usize;
            let time = times.get(index.min(times.len().saturating_sub(1)));
            time.map_or(0.0, |time| millis(*time))
        };
        Self {
            count: times.len(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: at(1.0),
        }
    }
}

/// The most memory that a server had in use.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MemoryPeak {
    /// The budget, in bytes.
    pub budget_bytes: u64,
    /// The most that was accounted, over all owners: the largest reading, or what the server itself
    /// has noted as its most, whatever is larger.
    pub accounted_bytes: u64,
    /// What the server itself has noted; 0 if it does not tell.
    pub high_water_bytes: u64,
    /// The largest resident size.
    pub resident_bytes: u64,
    /// Readings.
    pub samples: u64,
}

/// A time in milliseconds, as reports have it.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Tells a person how it goes.
pub(crate) fn tell(text: &str) {
    // There may be nobody left to hear it.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_read_off_the_sorted_times() {
        let spread = Spread::of((1..=1000).rev().map(Duration::from_millis).collect());
        assert_eq!(spread.count, 1000);
        assert_eq!((spread.p50_ms, spread.p99_ms), (501.0, 991.0));
        assert_eq!((spread.p999_ms, spread.max_ms), (1000.0, 1000.0));
        assert_eq!(Spread::of(Vec::new()).count, 0);
    }

    #[test]
    fn any_broken_promise_is_not_clean() {
        let mut totals = Totals::default();
        totals.answered(Some(204), 3);
        totals.answered(Some(503), 3);
        totals.answered(None, 3);
        assert!(totals.is_clean());
        assert_eq!((totals.requests_acked, totals.rows_acked), (1, 3));
        assert_eq!((totals.requests_rejected, totals.requests_unknown), (1, 1));
        totals.absorb(Totals { torn: 1, ..Totals::default() });
        assert!(!totals.is_clean());
    }

    #[derive(Debug, Serialize)]
    struct Lives {
        #[serde(flatten)]
        totals: Totals,
    }

    impl Report for Lives {
        const SCENARIO: &'static str = "lives";

        fn totals(&self) -> &Totals {
            &self.totals
        }
    }

    #[test]
    fn many_ends_without_a_look_at_the_files_are_not_clean() {
        let is_clean = |crashes, file_readings| {
            Lives { totals: Totals { crashes, file_readings, ..Totals::default() } }.is_clean()
        };
        assert!(is_clean(49, 0) && is_clean(50, 1));
        assert!(!is_clean(50, 0));
    }

    #[test]
    fn one_more_look_adds_what_it_found_and_no_requests() {
        let mut totals = Totals { reads: 1, requests_acked: 5, ..Totals::default() };
        totals.saw(&Totals { reads: 1, requests_acked: 5, lost: 2, ..Totals::default() });
        assert_eq!((totals.reads, totals.requests_acked, totals.lost), (2, 5, 2));
    }
}
