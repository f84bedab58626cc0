//! Load for figures: requests that are all alike, each with a number of its own, so that a count of
//! rows by number tells which were kept.

mod template;

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::blocking::Client;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{During, Error};
use crate::http::{self, Answer};
use crate::report::{Spread, Totals};
use template::{FIRST_REQUEST, Template};

/// The database that it goes to.
pub(crate) const DATABASE: &str = "load";

/// Each has a thread of its own beside those that use it, so there are not many.
const CLIENTS: usize = 8;
/// A thread that sends and waits needs no more, and there are many of them.
const SENDER_STACK: usize = 256 << 10;
/// From the start of the senders until the first request is due: all are there by then.
const LEAD: Duration = Duration::from_millis(500);
/// How long before its moment a request is made: not so early that many lie about.
const AHEAD: Duration = Duration::from_millis(100);

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
    template: Template,
    next: AtomicU64,
    fates: Mutex<BTreeMap<u64, Fate>>,
    totals: Mutex<Totals>,
    ack_times: Mutex<Vec<Duration>>,
    due_times: Mutex<Vec<Duration>>,
}

/// How requests of a fixed rate were offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    /// Requests that were sent, each at its moment or later.
    pub(crate) requests: u64,
    /// From the first moment until the last answer.
    pub(crate) took: Duration,
}

impl Load {
    /// Requests of so many rows each.
    pub(crate) fn new(rows: u64) -> Self {
        Self {
            template: Template::new(rows),
            next: AtomicU64::new(FIRST_REQUEST),
            fates: Mutex::default(),
            totals: Mutex::default(),
            ack_times: Mutex::default(),
            due_times: Mutex::default(),
        }
    }

    fn next_request(&self) -> (u64, Vec<u8>) {
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        (request, self.template.body(request))
    }

    /// Sends one request, and again whenever it is refused until it is kept or `stop`.
    fn send_until_kept(&self, client: &Client, url: &str, stop: &AtomicBool) -> Answer {
        let (request, mut body) = self.next_request();
        loop {
            let answer = self.send(client, url, (request, body));
            if !answer.is_refused() || stop.load(Ordering::Relaxed) {
                return answer;
            }
            sleep_unless(stop, Duration::from_secs(answer.retry_after.unwrap_or(1)));
            body = self.template.body(request);
        }
    }

    /// Sends one request once.
    fn send(&self, client: &Client, url: &str, (request, body): (u64, Vec<u8>)) -> Answer {
        let sent = Instant::now();
        let answer = http::write(client, url, DATABASE, body);
        self.ended(request, answer, sent.elapsed());
        answer
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
        totals.answered(answer.status, self.template.rows() as usize);
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
        let (count, clients) = (clients, shared_clients(clients)?);
        let stop = AtomicBool::new(false);
        let stop = &stop;
        Ok(thread::scope(|scope| {
            for client in clients.iter().cycle().take(count) {
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if self.send_until_kept(client, url, stop).status.is_none() {
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
    /// answered, each sent once. No more are under way at once than `at_once`: if all are, the next
    /// one is late, and what is late beyond the end is not offered any more.
    pub(crate) fn open(
        &self,
        url: &str,
        (rate, time): (f64, Duration),
        at_once: usize,
    ) -> Result<Offered, Error> {
        allow_connections()?;
        let clients = shared_clients(at_once)?;
        let schedule = &Schedule::new(rate, time);
        thread::scope(|scope| {
            for client in clients.iter().cycle().take(at_once) {
                let sender = thread::Builder::new().stack_size(SENDER_STACK);
                let sending = move || self.offer(client, url, schedule);
                sender.spawn_scoped(scope, sending).during("start a client")?;
            }
            Ok::<_, Error>(())
        })?;
        let requests = schedule.offered.load(Ordering::Relaxed);
        Ok(Offered { requests, took: schedule.begin.elapsed() })
    }

    /// Sends what is due, one request after the other. Each is made before its moment.
    fn offer(&self, client: &Client, url: &str, schedule: &Schedule) {
        while let Some(due) = schedule.next() {
            sleep_until(due - AHEAD);
            let request = self.next_request();
            sleep_until(due);
            if schedule.is_over() {
                return;
            }
            schedule.offered.fetch_add(1, Ordering::Relaxed);
            if self.send(client, url, request).is_acked() {
                self.due_times.lock().push(due.elapsed());
            }
        }
    }

    /// Rows that were acknowledged so far.
    pub(crate) fn rows_acked(&self) -> u64 {
        self.totals.lock().rows_acked
    }

    /// Requests that were acknowledged and refused so far.
    pub(crate) fn answered(&self) -> (u64, u64) {
        let totals = self.totals.lock();
        (totals.requests_acked, totals.requests_rejected)
    }

    /// How long acknowledgements took since the last call, from when a request was sent.
    pub(crate) fn take_ack_times(&self) -> Spread {
        Spread::of(mem::take(&mut *self.ack_times.lock()))
    }

    /// The same of requests of a fixed rate, from when a request was due.
    pub(crate) fn take_due_times(&self) -> Spread {
        Spread::of(mem::take(&mut *self.due_times.lock()))
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
        let rows = self.template.rows();
        for (request, fate) in fates.iter() {
            let count = kept.remove(request).unwrap_or_default();
            match fate {
                Fate::Acked if count < rows => totals.lost += rows - count,
                Fate::Refused if count > 0 => totals.phantom += count,
                Fate::Unknown if count > 0 && count < rows => totals.torn += 1,
                _ => totals.double += count.saturating_sub(rows),
            }
        }
        totals.phantom += kept.values().sum::<u64>();
        Ok(totals)
    }
}

/// Moments at which requests are due, one after the other at a fixed rate.
#[derive(Debug)]
struct Schedule {
    begin: Instant,
    rate: f64,
    time: Duration,
    next: AtomicU64,
    /// Requests that were sent.
    offered: AtomicU64,
}

impl Schedule {
    fn new(rate: f64, time: Duration) -> Self {
        let (next, offered) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { begin: Instant::now() + LEAD, rate, time, next, offered }
    }

    /// The next moment, if there is one more.
    fn next(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let at = Duration::from_secs_f64(number as f64 / self.rate);
        (at < self.time).then(|| self.begin + at)
    }

    fn is_over(&self) -> bool {
        self.begin.elapsed() >= self.time
    }
}

/// Clients for so many who send at once; some share one.
fn shared_clients(count: usize) -> Result<Vec<Client>, Error> {
    (0..count.min(CLIENTS)).map(|_| http::client()).collect()
}

/// As many files as the machine allows: each request under way has a connection.
fn allow_connections() -> Result<(), Error> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    raised.map_err(io::Error::from).during("raise the limit of open files")
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
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
    fn as_many_requests_are_due_as_the_rate_says() {
        let schedule = Schedule::new(10.0, Duration::from_secs(2));
        let mut due = Vec::new();
        while let Some(moment) = schedule.next() {
            due.push(moment);
        }
        assert_eq!(due.len(), 20);
        assert_eq!(due[0], schedule.begin);
        assert!(due.is_sorted());
        assert!(due[19] < schedule.begin + Duration::from_secs(2));
    }
}
