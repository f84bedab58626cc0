//! What clients did and readers saw.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::event::{Event, Outcome};
use crate::history::History;
use crate::journal::{self, Journal};
use crate::judge::{self, Judged};
use crate::row::Row;
use crate::verdict::{Fault, Place, Scope, Verdict, View};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Op(pub(crate) u64);

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}

/// A read that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    begin: u64,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were acknowledged.
    pub acked: u64,
    /// Requests that were rejected.
    pub rejected: u64,
    /// Requests whose outcome is unknown, those that never ended included.
    pub unknown: u64,
    /// Rows of all requests.
    pub rows: u64,
    /// Rows of the requests that were acknowledged.
    pub rows_acked: u64,
    /// Reads that were judged.
    pub reads: u64,
    /// Crashes.
    pub crashes: u64,
}

/// What clients did. Clones share it.
#[derive(Clone, Debug)]
pub struct Ledger {
    kept: Arc<Mutex<Kept>>,
    last_value: Arc<AtomicI64>,
}

/// The history, and the file that has it too.
#[derive(Debug)]
struct Kept {
    history: History,
    journal: Option<Journal>,
}

impl Kept {
    /// Applies an event and keeps it.
    fn record(&mut self, event: Event) {
        let line = self.journal.is_some().then(|| journal::line(&event));
        if let Err(reason) = self.history.apply(event) {
            panic!("the ledger is used wrongly: {reason}");
        }
        let (Some(journal), Some(line)) = (&mut self.journal, line) else { return };
        if let Err(error) = line.and_then(|line| journal.append(&line)) {
            panic!("the ledger cannot be kept: {error}");
        }
    }
}

/// # Panics
///
/// Every method that records something panics if its file cannot be written: a harness must not go
/// on without its memory.
impl Ledger {
    /// A ledger that ends with the process.
    pub fn in_memory() -> Self {
        Self::new(Kept { history: History::default(), journal: None })
    }

    /// A ledger in a file, which is read back if it is there: for a harness that is itself
    /// restarted. Requests that were under way then never end.
    ///
    /// # Errors
    ///
    /// I/O errors; `InvalidData` for a file that is no ledger's. A torn last line is cut off.
    pub fn in_file(path: &Path) -> io::Result<Self> {
        let mut history = History::default();
        let journal = Journal::open(path, |event| history.apply(event))?;
        Ok(Self::new(Kept { history, journal: Some(journal) }))
    }

    fn new(kept: Kept) -> Self {
        let last_value = Arc::new(AtomicI64::new(kept.history.value_max()));
        Self { kept: Arc::new(Mutex::new(kept)), last_value }
    }

    /// A value that was not given out before; they rise from 1.
    pub fn next_value(&self) -> i64 {
        self.last_value.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A request is about to be sent; it takes effect whole or not at all. Of rows in it that write
    /// the same field of the same point the last one counts.
    ///
    /// Values that were sent before, to the same fields of the same points, are a repetition of that
    /// request: both are one write, which lasts from the first invocation to the last end.
    pub fn invoke(&self, rows: Vec<Row>) -> Op {
        let values = rows.iter().flat_map(|row| &row.fields).map(|(_, value)| *value);
        self.last_value.fetch_max(values.max().unwrap_or(0), Ordering::Relaxed);
        let mut kept = self.kept.lock();
        let (at, op) = (kept.history.next_tick(), kept.history.requests());
        kept.record(Event::Invoke { at, op, rows });
        Op(op)
    }

    /// A request has ended; one that never ends counts as [`Outcome::Unknown`].
    ///
    /// # Panics
    ///
    /// If it has ended before.
    pub fn end(&self, op: Op, outcome: Outcome) {
        let mut kept = self.kept.lock();
        let at = kept.history.next_tick();
        kept.record(Event::End { at, op: op.0, outcome });
    }

    /// The server is dead: what was invoked and is not acknowledged took effect before now, or never
    /// will. To be called when it is surely dead, and before the next one is started.
    pub fn crashed(&self) {
        let mut kept = self.kept.lock();
        let at = kept.history.next_tick();
        kept.record(Event::Crash { at });
    }

    /// A query is about to be sent.
    pub fn begin_read(&self) -> Read {
        Read { begin: self.kept.lock().history.begin_read() }
    }

    /// Judges what the query of `read` answered, and remembers what was seen.
    ///
    /// The view has to have all rows of `scope` with all their fields. What is a fault is told and
    /// not remembered, so that it does not make faults of what follows.
    pub fn judge(&self, read: Read, scope: &Scope, view: &View) -> Verdict {
        let mut kept = self.kept.lock();
        let Judged { verdict, changes } = judge::view(&kept.history, read.begin, scope, view);
        let at = kept.history.next_tick();
        let (begin, scope) = (read.begin, scope.clone());
        kept.record(Event::Read { begin, at, scope, changes });
        verdict
    }

    /// Judges values that stand in more than one file, each with its place: only a repetition can
    /// make that so, and what was sent once is double.
    pub fn judge_repeated(&self, repeated: &[(Place, i64)]) -> Verdict {
        let kept = self.kept.lock();
        let once = repeated.iter().filter(|(place, value)| kept.history.sent_once(place, *value));
        let faults = once.map(|(place, _)| Fault::Double { place: place.clone() }).collect();
        Verdict { faults }
    }

    /// How much was done.
    pub fn counts(&self) -> Counts {
        self.kept.lock().history.counts()
    }

    /// The tables that requests named, in name order.
    pub fn tables(&self) -> Vec<String> {
        self.kept.lock().history.tables()
    }
}
