//! Requests are there whole or not at all.

use super::*;

fn pair(first: i64) -> Vec<Row> {
    vec![row("s", 1, &[("a", first)]), row("s", 2, &[("a", first + 1)])]
}

fn half(first: i64) -> Vec<Row> {
    vec![row("s", 1, &[("a", first)])]
}

#[test]
fn a_request_that_a_crash_tore_is_found() {
    let ledger = Ledger::in_memory();
    sent(&ledger, pair(1), Outcome::Unknown);
    ledger.crashed();
    assert_fault(&seen(&ledger, half(1)), "torn: t,series=s at 2 a: 2 is missing of request 0");
    assert_fault(&seen(&ledger, half(1)), "torn");
    assert_clean(&seen(&ledger, pair(1)));
}

#[test]
fn a_row_that_a_crash_tore_is_found() {
    let ledger = Ledger::in_memory();
    let _ = ledger.invoke(vec![row("s", 1, &[("a", 1), ("b", 2)])]);
    ledger.crashed();
    assert_fault(&seen(&ledger, vec![row("s", 1, &[("b", 2)])]), "torn: t,series=s at 1 a: 1");
}

#[test]
fn a_request_over_an_older_value_that_a_crash_tore_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, pair(1));
    sent(&ledger, pair(11), Outcome::Unknown);
    ledger.crashed();
    let mixed = vec![row("s", 1, &[("a", 11)]), row("s", 2, &[("a", 2)])];
    assert_fault(&seen(&ledger, mixed), "torn: t,series=s at 2 a: 12 is missing");
}

#[test]
fn a_request_that_was_overwritten_in_part_is_not_torn() {
    let ledger = Ledger::in_memory();
    let _ = ledger.invoke(pair(1));
    acked(&ledger, vec![row("s", 2, &[("a", 9)])]);
    ledger.crashed();
    let mixed = vec![row("s", 1, &[("a", 1)]), row("s", 2, &[("a", 9)])];
    assert_clean(&seen(&ledger, mixed.clone()));
    assert_clean(&seen(&ledger, mixed));
}

#[test]
fn a_request_under_way_may_be_seen_in_part() {
    let ledger = Ledger::in_memory();
    let op = ledger.invoke(pair(1));
    assert_clean(&seen(&ledger, half(1)));
    ledger.end(op, Outcome::Unknown);
    assert_clean(&seen(&ledger, half(1)));
    assert_clean(&seen(&ledger, pair(1)));
}

#[test]
fn a_request_that_was_seen_in_part_is_whole_after_the_crash() {
    for ends in [true, false] {
        let ledger = Ledger::in_memory();
        let op = ledger.invoke(pair(1));
        assert_clean(&seen(&ledger, half(1)));
        if ends {
            ledger.end(op, Outcome::Unknown);
        }
        ledger.crashed();
        assert_fault(&seen(&ledger, half(1)), "torn");
        assert_clean(&seen(&ledger, pair(1)));
    }
}

#[test]
fn a_request_that_was_acknowledged_is_whole() {
    let ledger = Ledger::in_memory();
    let op = ledger.invoke(pair(1));
    assert_clean(&seen(&ledger, half(1)));
    ledger.end(op, Outcome::Acked);
    assert_fault(&seen(&ledger, half(1)), "lost: t,series=s at 2");
}

#[test]
fn a_request_is_whole_over_several_tables() {
    let ledger = Ledger::in_memory();
    let mut rows = pair(1);
    rows[1].table = "u".to_owned();
    sent(&ledger, rows, Outcome::Unknown);
    ledger.crashed();
    assert_clean(&seen(&ledger, half(1)));
    let verdict = ledger.judge(ledger.begin_read(), &Scope::table("u"), &View::default());
    assert_fault(&verdict, "torn: u,series=s at 2 a: 2");
}

#[test]
fn a_repeated_request_that_a_crash_tore_is_found() {
    let ledger = Ledger::in_memory();
    sent(&ledger, pair(1), Outcome::Unknown);
    sent(&ledger, pair(1), Outcome::Unknown);
    ledger.crashed();
    assert_fault(&seen(&ledger, half(1)), "torn");
    assert_clean(&seen(&ledger, pair(1)));
}

#[test]
fn a_repetition_of_a_part_does_not_tear_the_whole() {
    let ledger = Ledger::in_memory();
    sent(&ledger, pair(1), Outcome::Unknown);
    sent(&ledger, half(1), Outcome::Unknown);
    ledger.crashed();
    assert_clean(&seen(&ledger, half(1)));
}

#[test]
fn what_stands_in_two_files_is_double_if_it_was_sent_once() {
    let ledger = Ledger::in_memory();
    acked(&ledger, pair(1));
    acked(&ledger, half(1));
    let place = |time| crate::Place {
        table: "t".to_owned(),
        series: "s".to_owned(),
        time,
        field: Some("a".to_owned()),
    };
    let verdict = ledger.judge_repeated(&[(place(1), 1), (place(2), 2)]);
    assert_eq!(verdict.double(), 1);
    assert_fault(&verdict, "double: t,series=s at 2 a");
}
