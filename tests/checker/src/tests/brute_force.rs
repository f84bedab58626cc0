//! The definition, judged anew for each read from all that happened, in n² steps.

use std::collections::BTreeSet;

use crate::Outcome;

const NEVER: u64 = u64::MAX;

/// The number of a register.
pub(super) type Place = usize;

#[derive(Debug)]
struct Request {
    invoke: u64,
    end: Option<(u64, Outcome)>,
    writes: Vec<(Place, i64)>,
}

/// What a read found and what is no fault.
#[derive(Debug)]
struct Seen {
    place: Place,
    begin: u64,
    end: u64,
    value: Option<i64>,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub(super) struct BruteForce {
    clock: u64,
    requests: Vec<Request>,
    crashes: Vec<u64>,
    seen: Vec<Seen>,
}

impl BruteForce {
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn invoke(&mut self, writes: Vec<(Place, i64)>) {
        let invoke = self.tick();
        self.requests.push(Request { invoke, end: None, writes });
    }

    pub(super) fn end(&mut self, op: usize, outcome: Outcome) {
        self.requests[op].end = Some((self.clock + 1, outcome));
        self.tick();
    }

    pub(super) fn crash(&mut self) {
        let now = self.tick();
        self.crashes.push(now);
    }

    /// Values that were ever sent to a register, oldest first.
    pub(super) fn values(&self, place: Place) -> Vec<i64> {
        let writes = self.requests.iter().flat_map(|request| &request.writes);
        writes.filter(|(at, _)| *at == place).map(|(_, value)| *value).collect()
    }

    pub(super) fn was_seen(&self, op: usize) -> bool {
        let is_its = |seen: &Seen| {
            self.requests[op]
                .writes
                .iter()
                .any(|(at, v)| (*at, Some(*v)) == (seen.place, seen.value))
        };
        self.seen.iter().any(is_its)
    }

    fn op_of(&self, place: Place, value: i64) -> usize {
        let has = |request: &Request| request.writes.contains(&(place, value));
        self.requests.iter().position(has).expect("was sent")
    }

    fn op_bound(&self, op: usize) -> u64 {
        let request = &self.requests[op];
        match request.end {
            Some((end, Outcome::Acked)) => end,
            _ => {
                let crash = self.crashes.iter().find(|crash| **crash > request.invoke);
                crash.copied().unwrap_or(NEVER)
            }
        }
    }

    fn reads_of(&self, place: Place, value: Option<i64>) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| seen.place == place && seen.value == value)
    }

    /// By when a write cannot take effect any more.
    fn bound(&self, place: Place, value: i64) -> u64 {
        let reads = self.reads_of(place, Some(value)).map(|seen| seen.end);
        reads.min().unwrap_or(NEVER).min(self.op_bound(self.op_of(place, value)))
    }

    /// By when a write has surely taken effect.
    fn settled(&self, place: Place, value: i64) -> u64 {
        let op = self.op_of(place, value);
        let is_acked = matches!(self.requests[op].end, Some((_, Outcome::Acked)));
        let is_known = is_acked || self.was_seen(op);
        let by_op = if is_known { self.op_bound(op) } else { NEVER };
        let reads = self.reads_of(place, Some(value)).map(|seen| seen.end);
        reads.min().unwrap_or(NEVER).min(by_op)
    }

    /// The latest begin of something that wrote or read it.
    fn start(&self, place: Place, value: i64) -> u64 {
        let reads = self.reads_of(place, Some(value)).map(|seen| seen.begin);
        reads.max().unwrap_or(0).max(self.requests[self.op_of(place, value)].invoke)
    }

    fn is_right(&self, place: Place, begin: u64, value: Option<i64>) -> bool {
        let mut others = self.values(place);
        let Some(value) = value else {
            return !others.iter().any(|other| self.settled(place, *other) < begin);
        };
        let op = self.op_of(place, value);
        if matches!(self.requests[op].end, Some((_, Outcome::Rejected))) {
            return false;
        }
        let bound = self.bound(place, value);
        if self.reads_of(place, None).any(|seen| seen.begin > bound) {
            return false;
        }
        others.retain(|other| *other != value);
        !others
            .iter()
            .any(|other| self.settled(place, *other) < begin && self.start(place, *other) > bound)
    }

    /// Judges a read that began at `begin` and found `view`; returns the registers with a fault.
    pub(super) fn judge(&mut self, begin: u64, view: &[Option<i64>]) -> BTreeSet<Place> {
        let end = self.tick();
        let is_wrong =
            |(place, value): &(Place, &Option<i64>)| !self.is_right(*place, begin, **value);
        let wrong = view.iter().enumerate().filter(is_wrong);
        let mut wrong: BTreeSet<Place> = wrong.map(|(place, _)| place).collect();
        let mut ignored = wrong.clone();
        let fresh: Vec<usize> = (0..self.requests.len())
            .filter(|op| self.is_fresh(*op, begin, view, &ignored))
            .collect();
        for op in fresh {
            let missing = self.missing(op, view, &ignored);
            if missing.is_empty() {
                continue;
            }
            let writes = &self.requests[op].writes;
            let there = writes.iter().filter(|(place, value)| view[*place] == Some(*value));
            ignored.extend(there.map(|(place, _)| *place));
            ignored.extend(&missing);
            wrong.extend(missing);
        }
        for (place, value) in view.iter().enumerate() {
            if !ignored.contains(&place) {
                self.seen.push(Seen { place, begin, end, value: *value });
            }
        }
        wrong
    }

    /// True if a crash ended the request before the read began, which is the first to see it.
    fn is_fresh(
        &self,
        op: usize,
        begin: u64,
        view: &[Option<i64>],
        ignored: &BTreeSet<Place>,
    ) -> bool {
        let request = &self.requests[op];
        let is_there = |(place, value): &(Place, i64)| {
            view[*place] == Some(*value) && !ignored.contains(place)
        };
        let is_acked = matches!(request.end, Some((_, Outcome::Acked)));
        let over = !is_acked && self.op_bound(op) < begin;
        over && !self.was_seen(op) && request.writes.iter().any(is_there)
    }

    fn missing(&self, op: usize, view: &[Option<i64>], ignored: &BTreeSet<Place>) -> Vec<Place> {
        let request = &self.requests[op];
        let is_missing = |(place, value): &&(Place, i64)| match view[*place] {
            _ if ignored.contains(place) => false,
            None => true,
            Some(found) => found != *value && self.bound(*place, found) < request.invoke,
        };
        request.writes.iter().filter(is_missing).map(|(place, _)| *place).collect()
    }
}
