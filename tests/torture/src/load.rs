//! Load for figures: requests that are all alike, each with a number of its own, so that a count of
//! rows by number tells which were kept.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::blocking::Client;

use crate::error::Error;
use crate::http::{self, Answer};
use crate::report::{Spread, Totals};

/// The database that it goes to.
pub(crate) const DATABASE: &str = "load";

/// Each has a thread of its own beside those that use it, so there are not many.
const CLIENTS: usize = 8;
const SERIES: u64 = 50;
/// 2020-01-01.
const EPOCH_SECONDS: u64 = 1_577_836_800;
const DAY_SECONDS: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;
/// Requests go round these days, so that no partition gets very large.
const DAYS: u64 = 10;

/// How a request ended, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acked,
    Refused,
    Unknown,
}

/// Requests, and what became of each.
#[derive(Debug)]
pub(crate) struct Load {
    rows: u64,
    /// The fields of each row; only the number of its request and its time are its own.
    fields: Vec<String>,
    next: AtomicU64,
    fates: Mutex<BTreeMap<u64, Fate>>,
    totals: Mutex<Totals>,
    ack_times: Mutex<Vec<Duration>>,
}

impl Load {
    /// Requests of so many rows each.
    pub(crate) fn new(rows: u64) -> Self {
        // Ten fields that no encoding makes small, as measured values are.
        let value = |row: u64, field: u64| {
            let mixed = (row * 10 + field + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed as f64 / u64::MAX as f64 * 100.0
        };
        let fields = (0..rows).map(|row| {
            (0..10).fold(String::new(), |mut text, field| {
                // Text in memory takes all that is written to it.
                let _ = write!(text, ",f{field}={}", value(row, field));
                text
            })
        });
        Self {
            rows,
            fields: fields.collect(),
            next: AtomicU64::new(0),
            fates: Mutex::default(),
            totals: Mutex::default(),
            ack_times: Mutex::default(),
        }
    }

    fn lines(&self, request: u64) -> String {
        let mut text = String::with_capacity(self.fields.len() * 280);
        for (row, fields) in self.fields.iter().enumerate() {
            let number = request * self.rows + row as u64;
            let (series, day) = (number % SERIES, request % DAYS);
            let time = (EPOCH_SECONDS + day * DAY_SECONDS) * NANOS + number * 1_000;
            // Text in memory takes all that is written to it.
            let _ = writeln!(text, "samples,host=h{series} request={request}i{fields} {time}");
        }
        text
    }

    /// Sends one request, and again whenever it is refused until it is kept or `stop`. Without
    /// `patient` it is sent once.
    fn send(&self, client: &Client, url: &str, patient: Option<&AtomicBool>) -> Answer {
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        loop {
            let lines = self.lines(request);
            let sent = Instant::now();
            let answer = http::write(client, url, DATABASE, lines);
            self.ended(request, answer, sent.elapsed());
            match patient {
                Some(stop) if answer.is_refused() && !stop.load(Ordering::Relaxed) => {
                    let wait = answer.retry_after.unwrap_or(1);
                    sleep_unless(stop, Duration::from_secs(wait));
                }
                _ => return answer,
            }
        }
    }

    fn ended(&self, request: u64, answer: Answer, took: Duration) {
        let fate = match answer.status {
            Some(204) => Fate::Acked,
            Some(429 | 503) => Fate::Refused,
            _ => Fate::Unknown,
        };
        self.fates.lock().insert(request, fate);
        if fate == Fate::Acked {
            self.ack_times.lock().push(took);
        }
        let mut totals = self.totals.lock();
        totals.answered(answer.status, self.fields.len());
        if let Some(fault) = answer.fault() {
            totals.broke(fault);
        }
    }

    /// Some clients that send one request after the other, waiting when they are told to, while
    /// `work` runs.
    pub(crate) fn closed<T>(
        &self,
        url: &str,
        clients: usize,
        work: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let clients = (0..clients).map(|_| http::client()).collect::<Result<Vec<_>, _>>()?;
        let stop = AtomicBool::new(false);
        let stop = &stop;
        Ok(thread::scope(|scope| {
            for client in &clients {
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if self.send(client, url, Some(stop)).status.is_none() {
                            return;
                        }
                    }
                });
            }
            let done = work();
            stop.store(true, Ordering::Relaxed);
            done
        }))
    }

    /// Requests at a fixed rate for some time, each at its moment whether or not earlier ones were
    /// answered, each sent once. Returns how many could be offered: no more are under way at once
    /// than `at_once`.
    pub(crate) fn open(
        &self,
        url: &str,
        (rate, time): (f64, Duration),
        at_once: usize,
    ) -> Result<u64, Error> {
        let clients = (0..CLIENTS).map(|_| http::client()).collect::<Result<Vec<_>, _>>()?;
        let (begun, tickets, count) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
        let (ticket, offered) = (&tickets, &count);
        thread::scope(|scope| {
            for client in clients.iter().cycle().take(at_once) {
                scope.spawn(move || {
                    loop {
                        let at = ticket.fetch_add(1, Ordering::Relaxed) as f64 / rate;
                        if at >= time.as_secs_f64() || begun.elapsed() >= time {
                            return;
                        }
                        let moment = Duration::from_secs_f64(at);
                        thread::sleep(moment.saturating_sub(begun.elapsed()));
                        offered.fetch_add(1, Ordering::Relaxed);
                        if self.send(client, url, None).status.is_none() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(count.into_inner())
    }

    /// Rows that were acknowledged so far.
    pub(crate) fn rows_acked(&self) -> u64 {
        self.totals.lock().rows_acked
    }

    /// Requests that were acknowledged so far.
    pub(crate) fn requests_acked(&self) -> u64 {
        self.totals.lock().requests_acked
    }

    /// How long acknowledgements took since the last call.
    pub(crate) fn take_ack_times(&self) -> Spread {
        Spread::of(mem::take(&mut *self.ack_times.lock()))
    }

    /// Counts the rows of each request and compares them with how it ended; returns all counts.
    pub(crate) fn judge(&self, client: &Client, url: &str) -> Result<Totals, Error> {
        let mut totals = self.totals.lock().clone();
        let fates = self.fates.lock();
        let sql = "SELECT request, count(*) AS n FROM samples GROUP BY request";
        let mut kept = BTreeMap::new();
        for row in http::rows(client, url, DATABASE, sql)? {
            let (request, count) = (row["request"].as_u64(), row["n"].as_u64());
            kept.insert(request.unwrap_or(u64::MAX), count.unwrap_or_default());
        }
        totals.reads += 1;
        totals.rows_read += kept.values().sum::<u64>();
        for (request, fate) in fates.iter() {
            let count = kept.remove(request).unwrap_or_default();
            match fate {
                Fate::Acked if count < self.rows => totals.lost += self.rows - count,
                Fate::Refused if count > 0 => totals.phantom += count,
                Fate::Unknown if count > 0 && count < self.rows => totals.torn += 1,
                _ => totals.double += count.saturating_sub(self.rows),
            }
        }
        totals.phantom += kept.values().sum::<u64>();
        Ok(totals)
    }
}

/// Sleeps, but not on when there is nothing to wait for any more.
fn sleep_unless(stop: &AtomicBool, time: Duration) {
    const PACE: Duration = Duration::from_millis(20);
    let begun = Instant::now();
    while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        thread::sleep(PACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_each_request_is_a_point_of_its_own() {
        let load = Load::new(20);
        let text = load.lines(0) + &load.lines(1);
        let mut points: Vec<_> = text
            .lines()
            .map(|line| {
                let (rest, time) = line.rsplit_once(' ').expect("has a time");
                (rest.split(' ').next().map(str::to_owned), time.to_owned())
            })
            .collect();
        assert_eq!(points.len(), 40);
        points.sort();
        points.dedup();
        assert_eq!(points.len(), 40);
        assert!(load.lines(1).contains(" request=1i,f0="));
    }
}
