//! Histories by chance: against the definition, and with one thing wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::brute_force::BruteForce;
use super::*;
use crate::Fault;

/// Fields `a` and `b` of two points.
const PLACES: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A request that writes these registers.
    Invoke(Vec<bool>),
    End(usize, Outcome),
    Crash,
    Begin,
    /// What is seen in each register: nothing, or the value that is so many before the newest.
    Judge(usize, Vec<Option<usize>>),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Acked),
        1 => Just(Outcome::Rejected),
        2 => Just(Outcome::Unknown),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let seen = prop_oneof![1 => Just(None), 5 => Just(Some(0_usize)), 2 => Just(Some(1)), 1 => Just(Some(2))];
    prop_oneof![
        5 => vec(any::<bool>(), PLACES).prop_map(Step::Invoke),
        4 => (0..4_usize, outcome()).prop_map(|(at, outcome)| Step::End(at, outcome)),
        1 => Just(Step::Crash),
        3 => Just(Step::Begin),
        3 => (0..4_usize, vec(seen, PLACES)).prop_map(|(at, seen)| Step::Judge(at, seen)),
    ]
}

fn field(place: usize) -> (&'static str, i64) {
    (["a", "b"][place % 2], (place / 2) as i64)
}

fn rows(values: &[(usize, i64)]) -> Vec<Row> {
    let mut points: BTreeMap<i64, Vec<(&str, i64)>> = BTreeMap::new();
    for (place, value) in values {
        let (name, time) = field(*place);
        points.entry(time).or_default().push((name, *value));
    }
    points.iter().map(|(time, fields)| row("s", *time, fields)).collect()
}

fn place_of(fault: &Fault) -> usize {
    let (Fault::Lost { place, .. }
    | Fault::Phantom { place, .. }
    | Fault::Double { place }
    | Fault::Torn { place, .. }
    | Fault::Stale { place, .. }
    | Fault::Regressed { place, .. }) = fault;
    let name = place.field.as_deref().expect("no fault is of a whole point");
    place.time as usize * 2 + usize::from(name == "b")
}

/// A history, as the ledger has it and as the definition needs it.
struct Run {
    ledger: Ledger,
    definition: BruteForce,
    open: Vec<(Op, usize)>,
    reads: Vec<(Read, u64)>,
    requests: usize,
}

impl Run {
    fn new(ledger: Ledger) -> Self {
        let (definition, open, reads) = (BruteForce::default(), Vec::new(), Vec::new());
        Self { ledger, definition, open, reads, requests: 0 }
    }

    /// Takes a step; of a read returns the verdict and what the definition says.
    fn take(&mut self, step: &Step) -> Option<(Verdict, BTreeSet<usize>)> {
        match step {
            Step::Invoke(places) => self.invoke(places),
            Step::End(at, outcome) if !self.open.is_empty() => {
                let (op, number) = self.open.remove(at % self.open.len());
                self.end(op, number, *outcome);
            }
            Step::Crash => {
                self.ledger.crashed();
                self.definition.crash();
                for (op, number) in std::mem::take(&mut self.open) {
                    self.end(op, number, Outcome::Unknown);
                }
            }
            Step::Begin => self.reads.push((self.ledger.begin_read(), self.definition.tick())),
            Step::Judge(at, seen) if !self.reads.is_empty() => {
                let (read, begin) = self.reads.remove(at % self.reads.len());
                return Some(self.judge(read, begin, seen));
            }
            Step::End(..) | Step::Judge(..) => {}
        }
        None
    }

    fn invoke(&mut self, places: &[bool]) {
        let places = places.iter().enumerate().filter(|(_, is_written)| **is_written);
        let writes: Vec<_> = places.map(|(place, _)| (place, self.ledger.next_value())).collect();
        let op = self.ledger.invoke(rows(&writes));
        self.definition.invoke(writes);
        self.open.push((op, self.requests));
        self.requests += 1;
    }

    fn end(&mut self, op: Op, number: usize, outcome: Outcome) {
        // That a rejected request was seen is told apart from the registers.
        let is_odd = outcome == Outcome::Rejected && self.definition.was_seen(number);
        let outcome = if is_odd { Outcome::Unknown } else { outcome };
        self.ledger.end(op, outcome);
        self.definition.end(number, outcome);
    }

    fn judge(
        &mut self,
        read: Read,
        begin: u64,
        seen: &[Option<usize>],
    ) -> (Verdict, BTreeSet<usize>) {
        let value = |(place, back): (usize, &Option<usize>)| {
            let values = self.definition.values(place);
            (*back).and_then(|back| values.iter().rev().nth(back).copied())
        };
        let view: Vec<Option<i64>> = seen.iter().enumerate().map(value).collect();
        let there = view.iter().enumerate();
        let there: Vec<_> = there.filter_map(|(place, value)| Some((place, (*value)?))).collect();
        let verdict = judged(&self.ledger, read, rows(&there));
        (verdict, self.definition.judge(begin, &view))
    }
}

fn places(verdict: &Verdict) -> BTreeSet<usize> {
    verdict.faults.iter().map(place_of).collect()
}

fn reopened(path: &Path) -> Ledger {
    Ledger::in_file(path).expect("a ledger")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn verdicts_are_those_of_the_definition(steps in vec(step(), 1..60)) {
        let mut run = Run::new(Ledger::in_memory());
        for step in &steps {
            if let Some((verdict, wrong)) = run.take(step) {
                prop_assert_eq!(places(&verdict), wrong, "{}", verdict);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn verdicts_are_the_same_when_the_harness_is_restarted(steps in vec(step(), 1..40)) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("ledger");
        let mut run = Run::new(reopened(&path));
        let mut memory = Run::new(Ledger::in_memory());
        for step in &steps {
            // Reads do not outlive their harness.
            if run.reads.is_empty() {
                run.ledger = reopened(&path);
            }
            let (kept, wanted) = (run.take(step), memory.take(step));
            prop_assert_eq!(kept.map(|kept| kept.0), wanted.map(|wanted| wanted.0));
        }
    }
}

/// A request of a serial history, what it writes, how it ends, and if it took effect when unknown.
type Serial = (Vec<bool>, Outcome, bool);

/// What a serial history leaves: in each register its value, and an older one that was acknowledged.
#[derive(Debug, Default)]
struct Left {
    values: BTreeMap<usize, i64>,
    older: BTreeMap<usize, i64>,
    acked: BTreeMap<usize, i64>,
}

fn serial(ledger: &Ledger, requests: &[Serial]) -> Left {
    let mut left = Left::default();
    for (places, outcome, took_effect) in requests {
        let places = places.iter().enumerate().filter(|(_, is_written)| **is_written);
        let writes: Vec<_> = places.map(|(place, _)| (place, ledger.next_value())).collect();
        sent(ledger, rows(&writes), *outcome);
        let is_acked = *outcome == Outcome::Acked;
        if is_acked || (*outcome == Outcome::Unknown && *took_effect) {
            for (place, value) in writes {
                left.values.insert(place, value);
                if let Some(older) = left.acked.get(&place) {
                    left.older.insert(place, *older);
                }
                if is_acked {
                    left.acked.insert(place, value);
                }
            }
        }
        // A prefix of the history is clean too.
        assert_clean(&seen(ledger, left.view()));
    }
    left
}

impl Left {
    fn view(&self) -> Vec<Row> {
        let values: Vec<_> = self.values.iter().map(|(place, value)| (*place, *value)).collect();
        rows(&values)
    }

    /// Views with one thing wrong.
    fn mutations(&self, at: usize) -> Vec<Vec<Row>> {
        let whole = self.view();
        if whole.is_empty() {
            return vec![];
        }
        let at = at % whole.len();
        let mut dropped = whole.clone();
        dropped.remove(at);
        let mut doubled = whole.clone();
        doubled.push(whole[at].clone());
        let mut unknown = whole.clone();
        unknown[at].fields[0].1 = 1_000_000;
        let mut bare = whole.clone();
        bare[at].fields.pop();
        let older = self.older.iter().map(|(place, value)| {
            let mut left = self.values.clone();
            left.insert(*place, *value);
            let left: Vec<_> = left.into_iter().collect();
            rows(&left)
        });
        older.chain([dropped, doubled, unknown, bare]).collect()
    }
}

proptest! {
    #[test]
    fn a_serial_history_is_clean_and_each_mutation_of_its_view_is_found(
        requests in vec((vec(any::<bool>(), PLACES), outcome(), any::<bool>()), 1..20),
        at in 0..8_usize,
        crashes in any::<bool>(),
    ) {
        let ledger = Ledger::in_memory();
        let left = serial(&ledger, &requests);
        if crashes {
            ledger.crashed();
        }
        prop_assert!(seen(&ledger, left.view()).is_clean());
        for wrong in left.mutations(at) {
            let verdict = seen(&ledger, wrong.clone());
            prop_assert!(!verdict.is_clean(), "{:?} instead of {:?}", wrong, left.view());
            prop_assert!(seen(&ledger, left.view()).is_clean());
        }
    }
}
