//! What happened, line by line, and its hash: two runs of one seed must agree on it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

/// FNV-1a over 64 bits: the same on every machine and in every version.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The trace of one seed. Clones write to the same one.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    hash: u64,
    echo: bool,
    /// The beginning of the present incarnation.
    began: Option<Instant>,
    counts: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
}

impl Trace {
    /// An empty trace; `echo` prints each line.
    pub(crate) fn new(echo: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            hash: FNV_OFFSET,
            echo,
            began: None,
            counts: BTreeMap::new(),
            faults: BTreeMap::new(),
        })))
    }

    /// Lines carry the virtual time since `began` from now on, or none.
    pub(crate) fn time_from(&self, began: Option<Instant>) {
        self.0.lock().began = began;
    }

    /// Adds a line.
    pub(crate) fn event(&self, what: fmt::Arguments<'_>) {
        let mut state = self.0.lock();
        let micros = state.began.map_or(0, |began| began.elapsed().as_micros());
        let line = format!("{:>6}.{:06} {what}\n", micros / 1_000_000, micros % 1_000_000);
        for byte in line.bytes() {
            state.hash = (state.hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        if state.echo {
            // Whoever has stopped to read is not waited for.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        }
    }

    /// Counts something, by its name.
    pub(crate) fn count(&self, what: &'static str) {
        self.count_times(what, 1);
    }

    /// Counts something that is there so many times.
    pub(crate) fn count_times(&self, what: &'static str, times: u64) {
        *self.0.lock().counts.entry(what).or_default() += times;
    }

    /// Adds a fault: a line and a count.
    pub(crate) fn fault(&self, kind: &'static str, what: fmt::Arguments<'_>) {
        *self.0.lock().faults.entry(kind).or_default() += 1;
        self.event(format_args!("fault {kind}: {what}"));
    }

    /// Adds a fault that was met so many times: a line and its count, or nothing if it was not.
    pub(crate) fn fault_times(&self, kind: &'static str, times: u64) {
        if times > 0 {
            *self.0.lock().faults.entry(kind).or_default() += times;
            self.event(format_args!("fault {kind}: {times} times in this life"));
        }
    }

    /// The hash of all lines so far.
    pub(crate) fn hash(&self) -> u64 {
        self.0.lock().hash
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().counts.clone()
    }

    /// The faults by kind.
    pub(crate) fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().faults.clone()
    }
}
