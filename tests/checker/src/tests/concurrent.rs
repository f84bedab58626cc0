//! A server that is right, with clients and readers at once and crashes: nothing is ever wrong.
//!
//! It publishes one request after the other, each value by value; a crash leaves whole requests;
//! readers look at one register after the other.

use std::mem;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Points with one field.
const PLACES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Invoke(Vec<bool>),
    /// Sends the values of an earlier request once more.
    Repeat(usize),
    /// Publishes the next value of a request.
    Publish(usize),
    End(usize, Outcome),
    /// Whether what is durable and not visible yet is there after it.
    Crash(bool),
    Begin,
    Look(usize, usize),
    Judge(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Acked),
        1 => Just(Outcome::Rejected),
        2 => Just(Outcome::Unknown),
    ];
    let any_of = 0..8_usize;
    prop_oneof![
        4 => vec(any::<bool>(), PLACES).prop_map(Step::Invoke),
        2 => any_of.clone().prop_map(Step::Repeat),
        8 => any_of.clone().prop_map(Step::Publish),
        5 => (any_of.clone(), outcome).prop_map(|(at, outcome)| Step::End(at, outcome)),
        1 => any::<bool>().prop_map(Step::Crash),
        3 => Just(Step::Begin),
        3 => (any_of.clone(), 0..PLACES).prop_map(|(at, place)| Step::Look(at, place)),
        3 => any_of.prop_map(Step::Judge),
    ]
}

type Writes = Vec<(usize, i64)>;

#[derive(Debug)]
struct Request {
    op: Op,
    /// What is not published yet, the next one last.
    writes: Writes,
    is_begun: bool,
    is_ended: bool,
}

#[derive(Debug)]
struct Looking {
    read: Read,
    seen: [Option<Option<i64>>; PLACES],
}

#[derive(Debug)]
struct Server {
    ledger: Ledger,
    sent: Vec<Writes>,
    requests: Vec<Request>,
    values: [Option<i64>; PLACES],
    reads: Vec<Looking>,
}

impl Server {
    fn new() -> Self {
        let (sent, requests, reads) = (Vec::new(), Vec::new(), Vec::new());
        Self { ledger: Ledger::in_memory(), sent, requests, values: [None; PLACES], reads }
    }

    /// Takes a step; of a read returns the verdict.
    fn take(&mut self, step: &Step) -> Option<Verdict> {
        match step {
            Step::Invoke(places) => {
                let places = places.iter().enumerate().filter(|(_, is_written)| **is_written);
                let values = places.map(|(place, _)| (place, self.ledger.next_value()));
                let writes: Writes = values.collect();
                self.sent.push(writes.clone());
                self.invoke(writes);
            }
            Step::Repeat(at) if !self.sent.is_empty() => {
                let at = at % self.sent.len();
                self.invoke(self.sent[at].clone());
            }
            Step::Publish(at) if !self.requests.is_empty() => {
                let begun = self.requests.iter().position(|request| request.is_begun);
                self.publish(begun.unwrap_or(at % self.requests.len()));
            }
            Step::End(at, outcome) if !self.requests.is_empty() => {
                self.end(at % self.requests.len(), *outcome);
            }
            Step::Crash(is_kept) => self.crash(*is_kept),
            Step::Begin => {
                let read = self.ledger.begin_read();
                self.reads.push(Looking { read, seen: [None; PLACES] });
            }
            Step::Look(at, place) if !self.reads.is_empty() => {
                let at = at % self.reads.len();
                self.reads[at].seen[*place].get_or_insert(self.values[*place]);
            }
            Step::Judge(at) if !self.reads.is_empty() => {
                let reading = self.reads.remove(at % self.reads.len());
                return Some(self.judge(&reading));
            }
            _ => {}
        }
        None
    }

    fn invoke(&mut self, writes: Writes) {
        let op = self.ledger.invoke(rows(&writes));
        self.requests.push(Request { op, writes, is_begun: false, is_ended: false });
    }

    /// Publishes the next value of a request; when it has none any more, nothing is under way.
    fn publish(&mut self, at: usize) {
        let request = &mut self.requests[at];
        if let Some((place, value)) = request.writes.pop() {
            self.values[place] = Some(value);
        }
        request.is_begun = !request.writes.is_empty();
        if request.is_ended && request.writes.is_empty() {
            self.requests.remove(at);
        }
    }

    fn end(&mut self, at: usize, outcome: Outcome) {
        let request = &mut self.requests[at];
        let is_whole = request.writes.is_empty();
        let is_untouched = !request.is_begun && !is_whole;
        let may_end = match outcome {
            Outcome::Acked => is_whole,
            Outcome::Rejected => is_untouched,
            Outcome::Unknown => true,
        };
        if request.is_ended || !may_end {
            return;
        }
        request.is_ended = true;
        self.ledger.end(request.op, outcome);
        if is_whole || outcome == Outcome::Rejected {
            self.requests.remove(at);
        }
    }

    fn crash(&mut self, is_kept: bool) {
        self.ledger.crashed();
        // What was begun is the oldest that is not published.
        let (begun, rest): (Vec<_>, Vec<_>) =
            mem::take(&mut self.requests).into_iter().partition(|request| request.is_begun);
        for mut request in begun.into_iter().chain(rest) {
            if is_kept || request.is_begun {
                while let Some((place, value)) = request.writes.pop() {
                    self.values[place] = Some(value);
                }
            }
            if !request.is_ended {
                self.ledger.end(request.op, Outcome::Unknown);
            }
        }
        self.reads.clear();
    }

    fn judge(&self, reading: &Looking) -> Verdict {
        let seen = reading.seen.iter().zip(&self.values).map(|(seen, now)| seen.unwrap_or(*now));
        let there = seen.enumerate().filter_map(|(place, value)| Some((place, value?)));
        judged(&self.ledger, reading.read, rows(&there.collect::<Writes>()))
    }
}

fn rows(writes: &[(usize, i64)]) -> Vec<Row> {
    writes.iter().map(|(place, value)| row("s", *place as i64, &[("a", *value)])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn a_server_that_is_right_is_found_right(steps in vec(step(), 1..120)) {
        let mut server = Server::new();
        for step in &steps {
            if let Some(verdict) = server.take(step) {
                prop_assert!(verdict.is_clean(), "{}", verdict);
            }
        }
    }
}
