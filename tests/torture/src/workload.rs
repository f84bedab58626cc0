//! Clients that write and read all the while, with a ledger that knows what they may see.
//!
//! Keys are taken from a row of numbers: each request writes some that are new and some that were
//! written before, a part of the fields each. So there are inserts, overwrites and updates of
//! single fields, in several tables and days, and what a query shows stays small.

use std::collections::BTreeSet;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use checker::{Ledger, Outcome, Row, Scope, View, line_protocol};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::blocking::Client;

use crate::error::{During, Error};
use crate::forebay::PATIENCE;
use crate::http::{self, Answer};
use crate::reading::{DATABASE, Reader, is_absent};
use crate::report::{Spread, Totals};

const TABLES: [&str; 3] = ["alpha", "beta", "gamma"];
const FIELDS: [&str; 3] = ["a", "b", "c"];
const SERIES: u64 = 12;
const DAYS: u64 = 4;
/// 2020-01-01.
const EPOCH_SECONDS: u64 = 1_577_836_800;
const DAY_SECONDS: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;

/// How long a writer rests that was refused: less than it was told, to see more refusals.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);
/// How often it is looked whether a write is acknowledged.
const ACK_PACE: Duration = Duration::from_millis(2);
/// The status of an honest "our fault".
const OUR_FAULT: u16 = 500;
/// How long a reader rests between its queries, at most.
const READER_PAUSE_MS: u64 = 20;

/// How many clients there are, and how busy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew {
    pub(crate) writers: usize,
    pub(crate) readers: usize,
    /// The longest that a writer rests between its requests.
    pub(crate) rest: Duration,
}

/// What is written, and what became of it.
#[derive(Debug)]
pub(crate) struct Workload {
    ledger: Ledger,
    keys_max: u64,
    keys_begun: AtomicU64,
    totals: Mutex<Totals>,
    ack_times: Mutex<Vec<Duration>>,
    /// True if a server may say that it is at fault: no promise is broken by that here.
    forgiving: bool,
}

impl Workload {
    /// A workload over at most so many keys.
    pub(crate) fn new(keys_max: u64) -> Self {
        Self {
            ledger: Ledger::in_memory(),
            keys_max,
            keys_begun: AtomicU64::new(0),
            totals: Mutex::default(),
            ack_times: Mutex::default(),
            forgiving: false,
        }
    }

    /// The same with a ledger that is in a file, too: should the harness die, or find something,
    /// there is something to look into. The file is not to lie on the file system under test.
    pub(crate) fn kept_in(self, path: &Path) -> Result<Self, Error> {
        let ledger =
            Ledger::in_file(path).during(format!("keep a ledger in {}", path.display()))?;
        Ok(Self { ledger, ..self })
    }

    /// The same where the disk is made to fail, so that an honest "our fault" is a good answer.
    pub(crate) fn forgiving(self) -> Self {
        Self { forgiving: true, ..self }
    }

    /// The server is dead, and nobody waits for an answer any more.
    pub(crate) fn crashed(&self) {
        self.ledger.crashed();
        self.totals.lock().crashes += 1;
    }

    /// Runs `work` while the clients are busy. They end with it, or when the server has.
    pub(crate) fn during<T>(
        &self,
        url: &str,
        crew: Crew,
        seed: u64,
        work: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let clients = (0..crew.writers).map(|_| http::client()).collect::<Result<Vec<_>, _>>()?;
        let readers = (0..crew.readers).map(|_| Reader::new()).collect::<Result<Vec<_>, _>>()?;
        let stop = AtomicBool::new(false);
        let stop = &stop;
        Ok(thread::scope(|scope| {
            let mut seeds = StdRng::seed_from_u64(seed);
            for client in &clients {
                let random = StdRng::seed_from_u64(seeds.random());
                scope.spawn(move || self.write_until(client, url, (stop, crew.rest), random));
            }
            for reader in &readers {
                let random = StdRng::seed_from_u64(seeds.random());
                scope.spawn(move || self.read_until(reader, url, stop, random));
            }
            let done = work();
            stop.store(true, Ordering::Relaxed);
            done
        }))
    }

    fn write_until(
        &self,
        client: &Client,
        url: &str,
        (stop, rest): (&AtomicBool, Duration),
        mut random: StdRng,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let answer = self.write(client, url, &mut random);
            if answer.status.is_none() {
                return;
            }
            thread::sleep(match answer.is_refused() {
                true => REFUSED_PAUSE,
                false => rest.mul_f64(random.random()),
            });
        }
    }

    /// Sends one request.
    pub(crate) fn write(&self, client: &Client, url: &str, random: &mut StdRng) -> Answer {
        let rows = self.request(random);
        let (count, lines) = (rows.len(), line_protocol(&rows));
        let op = self.ledger.invoke(rows);
        let sent = Instant::now();
        let answer = http::write(client, url, DATABASE, lines);
        let took = sent.elapsed();
        self.ledger.end(
            op,
            match answer.status {
                Some(204) => Outcome::Acked,
                Some(429 | 503) => Outcome::Rejected,
                _ => Outcome::Unknown,
            },
        );
        if answer.is_acked() {
            self.ack_times.lock().push(took);
        }
        let mut totals = self.totals.lock();
        totals.answered(answer.status, count);
        let forgiven = self.forgiving && answer.status == Some(OUR_FAULT);
        if let (Some(fault), false) = (answer.fault(), forgiven) {
            totals.broke(fault);
        }
        answer
    }

    fn read_until(&self, reader: &Reader, url: &str, stop: &AtomicBool, mut random: StdRng) {
        while !stop.load(Ordering::Relaxed) {
            let table = TABLES[random.random_range(0..TABLES.len())].to_owned();
            let one = random.random_bool(0.8);
            let series = one.then(|| series(random.random_range(0..SERIES)));
            match self.judge(reader, url, &Scope { table, series }) {
                Ok(()) => {}
                Err(error @ Error::Wrong { .. }) => self.broke(error.to_string()),
                Err(_) => self.totals.lock().reads_refused += 1,
            }
            thread::sleep(Duration::from_millis(random.random_range(0..READER_PAUSE_MS)));
        }
    }

    /// Reads one scope and judges it.
    fn judge(&self, reader: &Reader, url: &str, scope: &Scope) -> Result<(), Error> {
        let read = self.ledger.begin_read();
        let view = match reader.read(url, scope) {
            Err(error) if is_absent(&error) => View::default(),
            other => other?,
        };
        let verdict = self.ledger.judge(read, scope, &view);
        let whence = format!("{} {}", scope.table, scope.series.as_deref().unwrap_or("whole"));
        self.totals.lock().judged(&whence, view.rows.len(), &verdict);
        Ok(())
    }

    /// Reads everything through Flight and judges it. A table that cannot be read keeps none of the
    /// others from being judged.
    pub(crate) fn judge_all(&self, reader: &Reader, url: &str) -> Result<(), Error> {
        let tables = self.ledger.tables().into_iter();
        let judged = tables.map(|table| self.judge(reader, url, &Scope { table, series: None }));
        let all: Vec<_> = judged.collect();
        all.into_iter().collect()
    }

    /// Reads everything from files and judges it. Everything has been persisted.
    pub(crate) fn judge_files(
        &self,
        reader: &Reader,
        url: &str,
        objects: &Path,
    ) -> Result<(), Error> {
        let nothing = View::default();
        let read = self.ledger.begin_read();
        let stored = reader.read_files(url, objects)?;
        let mut totals = self.totals.lock();
        totals.file_readings += 1;
        for fault in &stored.faults {
            totals.broke(fault.to_string());
        }
        for table in self.ledger.tables() {
            let view = stored.tables.get(&table).unwrap_or(&nothing);
            let verdict = self.ledger.judge(read, &Scope::table(&*table), view);
            totals.judged(&format!("the files of {table}"), view.rows.len(), &verdict);
        }
        let verdict = self.ledger.judge_repeated(&stored.repeated);
        totals.judged("what stands in two files", stored.repeated.len(), &verdict);
        Ok(())
    }

    /// Counts a broken promise.
    pub(crate) fn broke(&self, promise: String) {
        self.totals.lock().broke(promise);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.totals.lock().is_clean()
    }

    /// Requests that were acknowledged and refused so far.
    pub(crate) fn answered(&self) -> (u64, u64) {
        let totals = self.totals.lock();
        (totals.requests_acked, totals.requests_rejected)
    }

    /// Waits until one more write is acknowledged, `after` whatever hurt; returns how long that took.
    pub(crate) fn wait_for_ack(&self, after: &str) -> Result<Duration, Error> {
        let ((acked, _), begun) = (self.answered(), Instant::now());
        while self.answered().0 == acked {
            if begun.elapsed() > PATIENCE {
                let what = format!("a write after {after}");
                return Err(Error::Late { what, patience: PATIENCE });
            }
            thread::sleep(ACK_PACE);
        }
        Ok(begun.elapsed())
    }

    /// How long acknowledgements took since the last call.
    pub(crate) fn take_ack_times(&self) -> Spread {
        Spread::of(mem::take(&mut *self.ack_times.lock()))
    }

    /// All counts.
    pub(crate) fn totals(&self) -> Totals {
        self.totals.lock().clone()
    }

    fn request(&self, random: &mut StdRng) -> Vec<Row> {
        let rows = match random.random_range(0..100) {
            0..40 => 1,
            40..96 => random.random_range(2..=20),
            _ => random.random_range(100..=400),
        };
        let table = random.random_bool(0.8).then(|| random.random_range(0..TABLES.len() as u64));
        let mut keys = BTreeSet::new();
        for _ in 0..rows {
            let key = self.key(random);
            // Most requests write to one table.
            let tables = TABLES.len() as u64;
            keys.insert(table.map_or(key, |table| key - key % tables + table));
        }
        keys.into_iter().map(|key| self.row(key, random)).collect()
    }

    fn key(&self, random: &mut StdRng) -> u64 {
        let begun = self.keys_begun.load(Ordering::Relaxed);
        if begun < self.keys_max && (begun == 0 || random.random_bool(0.5)) {
            self.keys_begun.fetch_add(1, Ordering::Relaxed)
        } else {
            random.random_range(0..begun)
        }
    }

    fn row(&self, key: u64, random: &mut StdRng) -> Row {
        let (table, rest) = (key % TABLES.len() as u64, key / TABLES.len() as u64);
        let (number, rest) = (rest % SERIES, rest / SERIES);
        let (day, second) = (rest % DAYS, rest / DAYS);
        let seconds = EPOCH_SECONDS + day * DAY_SECONDS + second % DAY_SECONDS;
        // At least one field, mostly not all.
        let chosen: u8 = random.random_range(1..1_u8 << FIELDS.len());
        let fields = FIELDS.iter().enumerate().filter(|(at, _)| chosen & (1_u8 << at) != 0);
        let fields = fields.map(|(_, name)| ((*name).to_owned(), self.ledger.next_value()));
        Row {
            table: TABLES[table as usize].to_owned(),
            series: series(number),
            time: (seconds * NANOS) as i64,
            fields: fields.collect(),
        }
    }
}

fn series(number: u64) -> String {
    format!("s{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work_dir::WorkDir;

    #[test]
    fn a_request_has_each_key_once_and_values_that_never_repeat() {
        let workload = Workload::new(1_000);
        let mut random = StdRng::seed_from_u64(7);
        let mut values = BTreeSet::new();
        for _ in 0..50 {
            let rows = workload.request(&mut random);
            let keys: BTreeSet<_> =
                rows.iter().map(|row| (&row.table, &row.series, row.time)).collect();
            assert!(!rows.is_empty() && keys.len() == rows.len());
            for (_, value) in rows.iter().flat_map(|row| &row.fields) {
                assert!(values.insert(*value), "{value} is there twice");
            }
        }
    }

    #[test]
    fn a_ledger_in_a_file_outlives_the_harness() {
        let dir = WorkDir::within(&std::env::temp_dir()).expect("a directory");
        let path = dir.path().join("ledger");
        Workload::new(10).kept_in(&path).expect("a ledger").crashed();
        assert_eq!(Ledger::in_file(&path).expect("is read back").counts().crashes, 1);
    }

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        let requests = |seed| {
            let (workload, mut random) = (Workload::new(500), StdRng::seed_from_u64(seed));
            (0..20).map(|_| workload.request(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(requests(3), requests(3));
        assert_ne!(requests(3), requests(4));
    }
}
