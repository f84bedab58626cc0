//! Everything that happened, and what follows from it: a function of the events alone, so that a
//! ledger that is read back judges as it did.

pub(crate) mod register;
pub(crate) mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use crate::event::{Event, Found, Outcome};
use crate::ledger::Counts;
use crate::row::Row;
use crate::verdict::{Fault, Place, Scope, Why};
use register::Register;
use requests::{Request, Requests};

/// The fields of a point that were ever written, with the numbers of their registers.
pub(crate) type Fields = Vec<(Arc<str>, u32)>;
/// By table, series and time.
type Tables = BTreeMap<String, BTreeMap<String, BTreeMap<i64, Fields>>>;

/// Everything that happened.
#[derive(Debug, Default)]
pub(crate) struct History {
    clock: u64,
    value_max: i64,
    reads: u64,
    tables: Tables,
    names: BTreeSet<Arc<str>>,
    pub(crate) registers: Vec<Register>,
    pub(crate) requests: Requests,
    /// Requests of which something was seen and that are not acknowledged: a crash settles them.
    under_way: Vec<u32>,
    /// Faults that were found between reads.
    owed: Vec<Fault>,
}

impl History {
    /// Lets an event happen.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(), String> {
        let at = match event {
            Event::Invoke { at, op, rows } => {
                self.invoke(at, op, &rows)?;
                at
            }
            Event::End { at, op, outcome } => {
                self.end(at, op, outcome)?;
                at
            }
            Event::Crash { at } => {
                self.crash(at);
                at
            }
            Event::Read { begin, at, scope, changes } => {
                self.read(begin, at, &scope, changes)?;
                at
            }
        };
        self.clock = self.clock.max(at);
        Ok(())
    }

    pub(crate) fn next_tick(&self) -> u64 {
        self.clock + 1
    }

    pub(crate) fn begin_read(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// How many requests there are; the number of the next one.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.list.len() as u64
    }

    pub(crate) fn value_max(&self) -> i64 {
        self.value_max
    }

    pub(crate) fn owed(&self) -> &[Fault] {
        &self.owed
    }

    pub(crate) fn tables(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    /// The points of `scope`, in the order of their keys.
    pub(crate) fn points<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = (&'a str, i64, &'a Fields)> + 'a {
        points(&self.tables, scope)
    }

    /// Where some registers are.
    pub(crate) fn places(&self, registers: &BTreeSet<u32>) -> BTreeMap<u32, Place> {
        let mut places = BTreeMap::new();
        for table in self.tables.keys() {
            let scope = Scope::table(table);
            for (series, time, fields) in self.points(&scope) {
                for (field, register) in fields {
                    if registers.contains(register) {
                        let place = Place {
                            table: table.clone(),
                            series: series.to_owned(),
                            time,
                            field: Some(field.to_string()),
                        };
                        places.insert(*register, place);
                    }
                }
            }
        }
        places
    }

    /// True if `value` was sent to `place` by one request only.
    pub(crate) fn sent_once(&self, place: &Place, value: i64) -> bool {
        let point = self.tables.get(&place.table).and_then(|table| table.get(&place.series));
        let fields = point.and_then(|series| series.get(&place.time)).into_iter().flatten();
        let mut fields = fields.filter(|(name, _)| place.field.as_deref() == Some(&**name));
        let register = fields.next().map(|(_, register)| &self.registers[*register as usize]);
        let write = register.and_then(|register| register.write_of(value));
        write.is_some_and(|write| write.only_request().is_some())
    }

    pub(crate) fn counts(&self) -> Counts {
        let crashes = self.requests.crashes.len() as u64;
        let mut counts = Counts { reads: self.reads, crashes, ..Counts::default() };
        for request in &self.requests.list {
            counts.rows += request.rows;
            match request.end {
                Some((_, Outcome::Acked)) => {
                    counts.acked += 1;
                    counts.rows_acked += request.rows;
                }
                Some((_, Outcome::Rejected)) => counts.rejected += 1,
                Some((_, Outcome::Unknown)) | None => counts.unknown += 1,
            }
        }
        counts
    }

    fn invoke(&mut self, at: u64, op: u64, rows: &[Row]) -> Result<(), String> {
        if op != self.requests() {
            return Err(format!("request {op} is not the next one"));
        }
        // The last of a request's values for one register is the one that it writes.
        let mut values = BTreeMap::new();
        for row in rows {
            for (name, value) in &row.fields {
                values.insert(self.register(row, name), *value);
                self.value_max = self.value_max.max(*value);
            }
        }
        let writes = values.into_iter().map(|(register, value)| {
            (register, self.registers[register as usize].invoke(value, op as u32))
        });
        let writes = writes.collect();
        let rows = rows.len() as u64;
        self.requests.list.push(Request { invoke: at, end: None, writes, rows, seen: false });
        Ok(())
    }

    /// The number of the register of a field of `row`'s point, which is made if there is none yet.
    fn register(&mut self, row: &Row, name: &str) -> u32 {
        let table = match self.tables.get_mut(&row.table) {
            Some(table) => table,
            None => self.tables.entry(row.table.clone()).or_default(),
        };
        let series = match table.get_mut(&row.series) {
            Some(series) => series,
            None => table.entry(row.series.clone()).or_default(),
        };
        let fields = series.entry(row.time).or_default();
        if let Some((_, register)) = fields.iter().find(|(field, _)| **field == *name) {
            return *register;
        }
        let known = self.names.get(name).map(Arc::clone);
        let name = known.unwrap_or_else(|| {
            let name: Arc<str> = Arc::from(name);
            self.names.insert(Arc::clone(&name));
            name
        });
        let register = self.registers.len() as u32;
        self.registers.push(Register::new());
        fields.push((name, register));
        register
    }

    fn end(&mut self, at: u64, op: u64, outcome: Outcome) -> Result<(), String> {
        let request = self.requests.list.get_mut(op as usize);
        let request = request.ok_or_else(|| format!("request {op} was never invoked"))?;
        if request.end.is_some() {
            return Err(format!("request {op} has ended before"));
        }
        request.end = Some((at, outcome));
        match outcome {
            Outcome::Acked => {
                for (register, write) in &request.writes {
                    self.registers[*register as usize].settle(*write, request.invoke, at);
                }
            }
            Outcome::Rejected if request.seen => self.owe(op as u32),
            Outcome::Rejected | Outcome::Unknown => {}
        }
        Ok(())
    }

    /// A request was rejected after something of it had been seen.
    fn owe(&mut self, op: u32) {
        let seen = |(register, write): &&(u32, u32)| {
            self.registers[*register as usize].writes[*write as usize].was_seen()
        };
        let seen: BTreeMap<u32, u32> =
            self.requests.get(op).writes.iter().filter(seen).copied().collect();
        let places = self.places(&seen.keys().copied().collect());
        for (register, place) in places {
            let write = &self.registers[register as usize].writes[seen[&register] as usize];
            let (value, why) = (Some(write.value), Why::Rejected);
            self.owed.push(Fault::Phantom { place, value, why });
        }
    }

    fn crash(&mut self, at: u64) {
        self.requests.crashes.push(at);
        for op in mem::take(&mut self.under_way) {
            if self.requests.get(op).end.is_none_or(|(_, outcome)| outcome == Outcome::Unknown) {
                self.settle_whole(op, at);
            }
        }
    }

    /// Something of `op` was seen, and since `settled` it cannot be under way: all of it is there.
    fn settle_whole(&mut self, op: u32, settled: u64) {
        let request = self.requests.get(op);
        for (register, write) in &request.writes {
            let register = &mut self.registers[*register as usize];
            // Of what was repeated it is not known which of the requests was seen.
            if register.writes[*write as usize].only_request().is_some() {
                register.settle(*write, request.invoke, settled);
            }
        }
    }

    fn read(
        &mut self,
        begin: u64,
        at: u64,
        scope: &Scope,
        changes: Vec<(u32, Found)>,
    ) -> Result<(), String> {
        self.reads += 1;
        self.owed.clear();
        for (register, found) in changes {
            let known = self.registers.get_mut(register as usize);
            known.ok_or_else(|| format!("there is no register {register}"))?.found = found;
        }
        for op in self.observe(begin, at, scope) {
            match self.requests.bound(op) {
                _ if self.requests.is_acked(op) => {}
                bound if bound <= at => self.settle_whole(op, bound),
                _ => self.under_way.push(op),
            }
        }
        Ok(())
    }

    /// Remembers what was found. Returns the requests of which something was seen for the first
    /// time.
    fn observe(&mut self, begin: u64, end: u64, scope: &Scope) -> Vec<u32> {
        let mut fresh = Vec::new();
        for (_, _, fields) in points(&self.tables, scope) {
            for (_, register) in fields {
                let register = &mut self.registers[*register as usize];
                match register.found {
                    Found::Fault => {}
                    Found::Nothing => register.observe_nothing(begin),
                    Found::Write(write) => {
                        register.observe(write, begin, end, &self.requests);
                        let request = register.writes[write as usize].only_request();
                        if let Some(op) = request.filter(|op| !self.requests.get(*op).seen) {
                            self.requests.get_mut(op).seen = true;
                            fresh.push(op);
                        }
                    }
                }
            }
        }
        fresh
    }
}

fn points<'a>(
    tables: &'a Tables,
    scope: &'a Scope,
) -> impl Iterator<Item = (&'a str, i64, &'a Fields)> + 'a {
    let table = tables.get(&scope.table);
    let one = scope.series.as_ref().and_then(|series| table?.get_key_value(series));
    let all = table.filter(|_| scope.series.is_none()).into_iter().flatten();
    one.into_iter().chain(all).flat_map(|(series, points)| {
        points.iter().map(move |(time, fields)| (series.as_str(), *time, fields))
    })
}
