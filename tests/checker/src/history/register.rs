//! One field of one point, and what is known of the order of its values.
//!
//! An entry says of a write: by `settled` it had taken effect, and it was written, or still there, at
//! `start` or after it. Of two values u and v, u is before v if `settled(u) < start(v)`. A history
//! is wrong if u is before v and v before u; a read can only make it so for the value that it saw,
//! and the search for that u has to look only at entries whose `start` is later than when v took
//! effect.

use crate::event::Found;
use crate::history::requests::{NEVER, Requests};
use crate::verdict::Why;

/// What is wrong with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Lost { value: i64 },
    Phantom { value: i64, why: Why },
    Torn { op: u32, value: i64 },
    Stale { seen: i64, newer: i64 },
    Regressed { seen: Option<i64>, before: i64 },
}

/// A value that was sent.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) value: i64,
    op: u32,
    /// Requests that sent it again.
    repetitions: Vec<u32>,
    /// By when it had surely taken effect for the first time.
    settled: u64,
    seen: bool,
}

impl Write {
    /// The requests that sent it.
    pub(crate) fn requests(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        std::iter::once(self.op).chain(self.repetitions.iter().copied())
    }

    /// The request, if only one sent it.
    pub(crate) fn only_request(&self) -> Option<u32> {
        self.repetitions.is_empty().then_some(self.op)
    }

    pub(crate) fn was_seen(&self) -> bool {
        self.seen
    }
}

/// What is known of the order of a write.
#[derive(Debug)]
struct Entry {
    write: u32,
    settled: u64,
    start: u64,
    /// The latest `start` of this entry and those before it.
    start_max: u64,
    /// It comes from reads of a value that was sent more than once: which of its requests they saw
    /// is not known, so they stand for themselves.
    of_reads: bool,
}

/// One field of one point.
#[derive(Debug)]
pub(crate) struct Register {
    /// In the order of invocation.
    pub(crate) writes: Vec<Write>,
    /// In the order of `settled`.
    entries: Vec<Entry>,
    /// The latest begin of a read that found nothing.
    absent: u64,
    value_max: i64,
    /// What the last read found.
    pub(crate) found: Found,
}

impl Register {
    pub(super) fn new() -> Self {
        // Most registers are written once.
        Self {
            writes: Vec::with_capacity(1),
            entries: Vec::with_capacity(1),
            absent: 0,
            value_max: i64::MIN,
            found: Found::Nothing,
        }
    }

    /// The number of the write of `value`.
    fn position(&self, value: i64) -> Option<usize> {
        if value > self.value_max {
            return None;
        }
        self.writes.iter().rposition(|write| write.value == value)
    }

    /// The write of `value`, if there is one.
    pub(super) fn write_of(&self, value: i64) -> Option<&Write> {
        self.position(value).map(|at| &self.writes[at])
    }

    /// `op` is about to write `value`. Returns the number of the write.
    pub(super) fn invoke(&mut self, value: i64, op: u32) -> u32 {
        if let Some(at) = self.position(value) {
            self.writes[at].repetitions.push(op);
            return at as u32;
        }
        self.value_max = self.value_max.max(value);
        let (repetitions, settled) = (Vec::new(), NEVER);
        self.writes.push(Write { value, op, repetitions, settled, seen: false });
        self.writes.len() as u32 - 1
    }

    /// The request that made the write `at`, or repeated it, from `invoke` on, took effect by
    /// `settled`.
    pub(super) fn settle(&mut self, at: u32, invoke: u64, settled: u64) {
        let write = &mut self.writes[at as usize];
        if write.repetitions.is_empty() && write.settled != NEVER {
            return;
        }
        write.settled = write.settled.min(settled);
        self.insert(at, invoke, settled, false);
    }

    fn insert(&mut self, write: u32, start: u64, settled: u64, of_reads: bool) {
        let place = self.entries.partition_point(|entry| entry.settled <= settled);
        self.entries.insert(place, Entry { write, settled, start, start_max: 0, of_reads });
        let mut start_max = place.checked_sub(1).map_or(0, |at| self.entries[at].start_max);
        for entry in &mut self.entries[place..] {
            start_max = start_max.max(entry.start);
            entry.start_max = start_max;
        }
    }

    /// A read that began at `begin` found nothing.
    pub(super) fn observe_nothing(&mut self, begin: u64) {
        self.absent = self.absent.max(begin);
    }

    /// A read from `begin` to `end` saw the write `at`.
    pub(super) fn observe(&mut self, at: u32, begin: u64, end: u64, requests: &Requests) {
        let write = &mut self.writes[at as usize];
        write.seen = true;
        let Some(op) = write.only_request() else { return self.observe_repeated(at, begin, end) };
        if write.settled == NEVER {
            let start = requests.get(op).invoke.max(begin);
            return self.settle(at, start, end.min(requests.bound(op)));
        }
        let Some(first) = self.entries.iter().rposition(|entry| entry.write == at) else { return };
        self.entries[first].start = self.entries[first].start.max(begin);
        for entry in &mut self.entries[first..] {
            if entry.start_max >= begin {
                break;
            }
            entry.start_max = begin;
        }
    }

    fn observe_repeated(&mut self, at: u32, begin: u64, end: u64) {
        let write = &mut self.writes[at as usize];
        write.settled = write.settled.min(end);
        // The latest of its reads is enough.
        if self.entries.last().is_some_and(|entry| entry.of_reads && entry.write == at) {
            self.entries.pop();
        }
        self.insert(at, begin, end, true);
    }

    /// The time after which the write `at` does not take effect any more.
    pub(crate) fn bound(&self, at: u32, requests: &Requests) -> u64 {
        let write = &self.writes[at as usize];
        match write.only_request() {
            Some(op) => write.settled.min(requests.bound(op)),
            None => {
                let kept = write.requests().filter(|op| !requests.is_rejected(*op));
                kept.map(|op| requests.bound(op)).max().unwrap_or(NEVER)
            }
        }
    }

    /// What it means that a read which began at `begin` found `value`.
    pub(crate) fn judge(
        &self,
        value: Option<i64>,
        begin: u64,
        requests: &Requests,
    ) -> Result<Found, Wrong> {
        let Some(value) = value else {
            let settled = self.entries.first().is_some_and(|first| first.settled < begin);
            return if settled { Err(self.gone(begin, requests)) } else { Ok(Found::Nothing) };
        };
        let phantom = |why| Wrong::Phantom { value, why };
        let at = self.position(value).ok_or_else(|| phantom(Why::NeverSent))?;
        let write = &self.writes[at];
        if write.requests().all(|op| requests.is_rejected(op)) {
            return Err(phantom(Why::Rejected));
        }
        let at = at as u32;
        let bound = self.bound(at, requests);
        if self.absent > bound {
            return Err(phantom(Why::Resurrected));
        }
        let Some(newer) = self.newer(at, bound, begin) else { return Ok(Found::Write(at)) };
        let newer = &self.writes[newer as usize];
        let acked = newer.requests().find(|op| requests.acked_before(*op, begin));
        Err(match acked {
            Some(op) if requests.get(op).invoke > bound => {
                Wrong::Stale { seen: value, newer: newer.value }
            }
            _ if write.settled == NEVER => phantom(Why::Resurrected),
            None if !newer.seen => Wrong::Torn { op: newer.op, value: newer.value },
            _ => Wrong::Regressed { seen: Some(value), before: newer.value },
        })
    }

    /// A write other than `except` that took effect before `begin` and was written, or still there,
    /// after `bound`.
    fn newer(&self, except: u32, bound: u64, begin: u64) -> Option<u32> {
        let end = self.entries.partition_point(|entry| entry.settled < begin);
        let entries = self.entries[..end].iter().rev();
        let mut entries = entries.take_while(|entry| entry.start_max > bound);
        let newer = entries.find(|entry| entry.write != except && entry.start > bound);
        newer.map(|entry| entry.write)
    }

    /// Why there should be a value at a read that began at `begin`.
    fn gone(&self, begin: u64, requests: &Requests) -> Wrong {
        let end = self.entries.partition_point(|entry| entry.settled < begin);
        let settled = self.entries[..end].iter().rev();
        let mut settled = settled.map(|entry| &self.writes[entry.write as usize]);
        let acked = |write: &&Write| write.requests().any(|op| requests.acked_before(op, begin));
        if let Some(write) = settled.clone().find(acked) {
            return Wrong::Lost { value: write.value };
        }
        if let Some(write) = settled.clone().find(|write| write.seen) {
            return Wrong::Regressed { seen: None, before: write.value };
        }
        let write = settled.next_back().unwrap_or(&self.writes[0]);
        Wrong::Torn { op: write.op, value: write.value }
    }
}
