//! Judges a view against the history.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::event::Found;
use crate::history::History;
use crate::history::register::Wrong;
use crate::ledger::Op;
use crate::row::Row;
use crate::verdict::{Fault, Place, Scope, Verdict, View, Why};

/// What a read is worth.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// The registers that hold something else than at the read before this one.
    pub(crate) changes: Vec<(u32, Found)>,
}

/// Judges what a read of `scope`, which began at `begin`, found.
pub(crate) fn view(history: &History, begin: u64, scope: &Scope, view: &View) -> Judged {
    let mut judge = Judge {
        history,
        begin,
        scope,
        faults: history.owed().to_vec(),
        found: vec![None; history.registers.len()],
    };
    let mut rows = judge.by_key(view);
    for (series, time, fields) in history.points(scope) {
        let row = rows.remove(&(series, time));
        for (field, register) in fields {
            let value = row.and_then(|row| row.field(field));
            judge.register(*register, value, || place(scope, series, time, Some(field)));
        }
        if let Some(row) = row {
            judge.unsent(row, |name| !fields.iter().any(|(field, _)| **field == *name));
        }
    }
    for row in rows.into_values() {
        judge.unsent(row, |_| true);
    }
    judge.whole_requests();
    judge.judged()
}

#[derive(Debug)]
struct Judge<'a> {
    history: &'a History,
    begin: u64,
    scope: &'a Scope,
    faults: Vec<Fault>,
    /// What was found in each register; none in those that are not of the scope.
    found: Vec<Option<Found>>,
}

impl<'a> Judge<'a> {
    /// The rows by series and time; of those that came more than once the first.
    fn by_key(&mut self, view: &'a View) -> BTreeMap<(&'a str, i64), &'a Row> {
        let mut rows = BTreeMap::new();
        for row in &view.rows {
            if !self.scope.has(row) {
                self.phantoms(row, Why::NotAsked, |_| true);
                continue;
            }
            match rows.entry((row.series.as_str(), row.time)) {
                Entry::Vacant(free) => {
                    free.insert(row);
                }
                Entry::Occupied(_) => {
                    let place = place(self.scope, &row.series, row.time, None);
                    self.faults.push(Fault::Double { place });
                }
            }
        }
        rows
    }

    fn register(&mut self, number: u32, value: Option<i64>, place: impl Fn() -> Place) {
        let register = &self.history.registers[number as usize];
        let found = match register.judge(value, self.begin, &self.history.requests) {
            Ok(found) => found,
            Err(wrong) => {
                self.faults.push(fault(wrong, place()));
                Found::Fault
            }
        };
        self.found[number as usize] = Some(found);
    }

    /// Tells of the fields of `row` that were never written, and of a row that has none.
    fn unsent(&mut self, row: &Row, is_unsent: impl Fn(&str) -> bool) {
        self.phantoms(row, Why::NeverSent, is_unsent);
    }

    fn phantoms(&mut self, row: &Row, why: Why, is_phantom: impl Fn(&str) -> bool) {
        let at = |field: Option<&str>| Place {
            table: row.table.clone(),
            series: row.series.clone(),
            time: row.time,
            field: field.map(ToOwned::to_owned),
        };
        if row.fields.is_empty() {
            self.faults.push(Fault::Phantom { place: at(None), value: None, why });
        }
        for (name, value) in row.fields.iter().filter(|(name, _)| is_phantom(name)) {
            let (place, value) = (at(Some(name)), Some(*value));
            self.faults.push(Fault::Phantom { place, value, why });
        }
    }

    /// Looks at requests of which this read is the first to see something, and that a crash had
    /// ended before it began: they have to be there whole.
    fn whole_requests(&mut self) {
        let mut missing: BTreeMap<u32, (u32, i64)> = BTreeMap::new();
        for requests in self.fresh_requests() {
            let torn = self.missing_of(&requests);
            if torn.is_empty() {
                continue;
            }
            // Nothing follows from a request that is torn.
            for (register, write) in &self.history.requests.get(requests[0]).writes {
                let found = &mut self.found[*register as usize];
                if *found == Some(Found::Write(*write)) {
                    *found = Some(Found::Fault);
                }
            }
            for (register, value) in torn {
                self.found[register as usize] = Some(Found::Fault);
                missing.insert(register, (requests[0], value));
            }
        }
        if missing.is_empty() {
            return;
        }
        let places = self.history.places(&missing.keys().copied().collect());
        for (register, place) in places {
            let (op, value) = missing[&register];
            self.faults.push(Fault::Torn { place, op: Op(u64::from(op)), value });
        }
    }

    /// The requests, each with its repetitions, one of which must have written something that was
    /// seen now, and of which nothing is known yet.
    fn fresh_requests(&self) -> BTreeSet<Vec<u32>> {
        let history = self.history;
        let mut fresh = BTreeSet::new();
        for (register, found) in history.registers.iter().zip(&self.found) {
            let Some(Found::Write(write)) = found else { continue };
            let write = &register.writes[*write as usize];
            if write.only_request().is_some_and(|op| history.requests.get(op).seen) {
                continue;
            }
            let kept = write.requests().filter(|op| !history.requests.is_rejected(*op));
            let over =
                |op: u32| !history.requests.is_acked(op) && history.requests.bound(op) < self.begin;
            if kept.clone().all(over) {
                fresh.insert(kept.collect());
            }
        }
        fresh
    }

    /// What is missing, if one of `requests` took effect: registers and the values that they should
    /// hold or have held.
    fn missing_of(&self, requests: &[u32]) -> Vec<(u32, i64)> {
        let history = self.history;
        let first = history.requests.get(requests[0]);
        let mut missing = Vec::new();
        for (number, write) in &first.writes {
            let register = &history.registers[*number as usize];
            let sent = &register.writes[*write as usize];
            let is_implied = requests.iter().all(|op| sent.requests().any(|sender| sender == *op));
            let is_there = match self.found[*number as usize] {
                None | Some(Found::Fault) => true,
                Some(Found::Nothing) => false,
                Some(Found::Write(seen)) => {
                    // Something that can have been written after it.
                    seen == *write || register.bound(seen, &history.requests) >= first.invoke
                }
            };
            if is_implied && !is_there {
                missing.push((*number, sent.value));
            }
        }
        missing
    }

    fn judged(self) -> Judged {
        let registers = self.history.registers.iter().zip(self.found).enumerate();
        let changes = registers.filter_map(|(number, (register, found))| {
            let found = found.filter(|found| *found != register.found)?;
            Some((number as u32, found))
        });
        let changes = changes.collect();
        let mut faults = self.faults;
        faults.sort_by(|a, b| of(a).cmp(of(b)));
        Judged { verdict: Verdict { faults }, changes }
    }
}

fn place(scope: &Scope, series: &str, time: i64, field: Option<&str>) -> Place {
    Place {
        table: scope.table.clone(),
        series: series.to_owned(),
        time,
        field: field.map(ToOwned::to_owned),
    }
}

fn fault(wrong: Wrong, place: Place) -> Fault {
    match wrong {
        Wrong::Lost { value } => Fault::Lost { place, value },
        Wrong::Phantom { value, why } => Fault::Phantom { place, value: Some(value), why },
        Wrong::Torn { op, value } => Fault::Torn { place, op: Op(u64::from(op)), value },
        Wrong::Stale { seen, newer } => Fault::Stale { place, seen, newer },
        Wrong::Regressed { seen, before } => Fault::Regressed { place, seen, before },
    }
}

/// The place of a fault.
fn of(fault: &Fault) -> &Place {
    match fault {
        Fault::Lost { place, .. }
        | Fault::Phantom { place, .. }
        | Fault::Double { place }
        | Fault::Torn { place, .. }
        | Fault::Stale { place, .. }
        | Fault::Regressed { place, .. } => place,
    }
}
