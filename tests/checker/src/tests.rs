//! That the checker fails when it should, and only then.

mod brute_force;
mod concurrent;
mod durability;
mod ledger_file;
mod order;
mod random;
mod reading;
mod whole;

use crate::{Ledger, Op, Outcome, Read, Row, Scope, Verdict, View};

/// A row of the only table, `t`.
fn row(series: &str, time: i64, fields: &[(&str, i64)]) -> Row {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Row { table: "t".to_owned(), series: series.to_owned(), time, fields }
}

/// The point that most tests need, with one field.
fn point(value: i64) -> Row {
    row("s", 0, &[("a", value)])
}

fn sent(ledger: &Ledger, rows: Vec<Row>, outcome: Outcome) -> Op {
    let op = ledger.invoke(rows);
    ledger.end(op, outcome);
    op
}

fn acked(ledger: &Ledger, rows: Vec<Row>) {
    sent(ledger, rows, Outcome::Acked);
}

fn judged(ledger: &Ledger, read: Read, rows: Vec<Row>) -> Verdict {
    ledger.judge(read, &Scope::table("t"), &View { rows })
}

/// A read that nothing else happens during.
fn seen(ledger: &Ledger, rows: Vec<Row>) -> Verdict {
    judged(ledger, ledger.begin_read(), rows)
}

fn assert_clean(verdict: &Verdict) {
    assert!(verdict.is_clean(), "{verdict}");
}

/// One fault, whose text begins so.
fn assert_fault(verdict: &Verdict, text: &str) {
    let told = verdict.to_string();
    assert_eq!(verdict.faults.len(), 1, "{told}");
    assert!(verdict.faults[0].to_string().starts_with(text), "{text}? {told}");
}
