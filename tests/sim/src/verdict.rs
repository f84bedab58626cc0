//! What a seed comes to: its counts, and the first promise that was broken.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::trace::Trace;

/// Which kind of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A read saw what it must not see, or not what it must.
    Read,
    /// Something panicked.
    Panic,
    /// Something did not end, with nothing in its way.
    Stuck,
    /// The node failed, or did not start, though nothing was done to it that allows that.
    Failed,
    /// A command of an earlier life changed the catalog, or one that was sent twice did so twice.
    Command,
    /// The catalog, the log or the memory account are not as they must be.
    Invariant,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which kind.
    pub kind: Kind,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The hash of its trace.
    pub trace_hash: u64,
    /// Requests, reads, lives and others, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// Injected faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Virtual time that all lives took together.
    pub lived: Duration,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
}

/// Where violations are reported; the first one stands. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    first: Arc<Mutex<Option<Violation>>>,
    trace: Trace,
}

impl Findings {
    pub(crate) fn new(trace: &Trace) -> Self {
        Self { first: Arc::default(), trace: trace.clone() }
    }

    /// Reports what was found.
    pub(crate) fn report(&self, kind: Kind, what: &dyn fmt::Display) {
        let mut first = self.first.lock();
        if first.is_none() {
            let what = what.to_string();
            self.trace.event(format_args!("violation {kind:?}: {what}"));
            *first = Some(Violation { kind, what });
        }
    }

    /// True if something was found.
    pub(crate) fn any(&self) -> bool {
        self.first.lock().is_some()
    }

    /// The first finding.
    pub(crate) fn first(&self) -> Option<Violation> {
        self.first.lock().clone()
    }
}
