//! What is acknowledged is there, what was refused is not, and each point is there once.

use super::*;

#[test]
fn what_was_acknowledged_is_wanted_and_nothing_else() {
    let ledger = Ledger::in_memory();
    assert_clean(&seen(&ledger, vec![]));
    let rows = vec![row("s", 1, &[("a", 1), ("b", 2)]), row("r", 1, &[("a", 3)])];
    acked(&ledger, rows.clone());
    assert_clean(&seen(&ledger, rows));
}

#[test]
fn a_lost_row_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![row("s", 1, &[("a", 1)]), row("s", 2, &[("a", 2)])]);
    let verdict = seen(&ledger, vec![row("s", 1, &[("a", 1)])]);
    assert_fault(&verdict, "lost: t,series=s at 2 a: 2");
    assert_eq!((verdict.lost(), verdict.phantom(), verdict.double()), (1, 0, 0));
}

#[test]
fn a_lost_field_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![row("s", 1, &[("a", 1), ("b", 2)])]);
    assert_fault(&seen(&ledger, vec![row("s", 1, &[("a", 1)])]), "lost: t,series=s at 1 b: 2");
}

#[test]
fn a_row_lost_by_a_crash_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    ledger.crashed();
    assert_fault(&seen(&ledger, vec![]), "lost");
}

#[test]
fn a_row_that_is_acknowledged_during_a_read_may_be_missing_in_it() {
    let ledger = Ledger::in_memory();
    let op = ledger.invoke(vec![point(1)]);
    let read = ledger.begin_read();
    ledger.end(op, Outcome::Acked);
    assert_clean(&judged(&ledger, read, vec![]));
    assert_fault(&seen(&ledger, vec![]), "lost");
}

#[test]
fn a_value_that_was_never_sent_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    let verdict = seen(&ledger, vec![point(7)]);
    assert_fault(&verdict, "phantom: t,series=s at 0 a: 7 was never sent");
    assert_eq!((verdict.lost(), verdict.phantom()), (0, 1));
}

#[test]
fn a_value_of_another_point_or_field_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1), row("s", 1, &[("a", 2)])]);
    let verdict = seen(&ledger, vec![point(2), row("s", 1, &[("a", 2)])]);
    assert_fault(&verdict, "phantom: t,series=s at 0 a: 2");
    let verdict = seen(&ledger, vec![row("s", 0, &[("a", 1), ("b", 1)]), row("s", 1, &[("a", 2)])]);
    assert_fault(&verdict, "phantom: t,series=s at 0 b: 1");
}

#[test]
fn a_row_that_was_never_sent_is_found() {
    let ledger = Ledger::in_memory();
    assert_fault(&seen(&ledger, vec![point(7)]), "phantom");
    assert_fault(&seen(&ledger, vec![row("s", 0, &[])]), "phantom");
}

#[test]
fn a_row_without_any_value_is_found() {
    let ledger = Ledger::in_memory();
    let _ = ledger.invoke(vec![point(1)]);
    assert_fault(&seen(&ledger, vec![row("s", 0, &[])]), "phantom: t,series=s at 0: nothing");
}

#[test]
fn a_rejected_value_is_found() {
    let ledger = Ledger::in_memory();
    sent(&ledger, vec![point(1)], Outcome::Rejected);
    assert_clean(&seen(&ledger, vec![]));
    assert_fault(&seen(&ledger, vec![point(1)]), "phantom: t,series=s at 0 a: 1 was rejected");
}

#[test]
fn a_request_that_is_rejected_after_it_was_seen_is_found() {
    let ledger = Ledger::in_memory();
    let op = ledger.invoke(vec![point(1)]);
    assert_clean(&seen(&ledger, vec![point(1)]));
    ledger.end(op, Outcome::Rejected);
    let other = Scope::table("other");
    let verdict = ledger.judge(ledger.begin_read(), &other, &View::default());
    assert_fault(&verdict, "phantom: t,series=s at 0 a: 1 was rejected");
    assert_clean(&ledger.judge(ledger.begin_read(), &other, &View::default()));
}

#[test]
fn a_double_row_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    let verdict = seen(&ledger, vec![point(1), point(1), point(1)]);
    assert_eq!((verdict.lost(), verdict.phantom(), verdict.double()), (0, 0, 2), "{verdict}");
}

#[test]
fn a_double_row_with_an_older_value_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    acked(&ledger, vec![point(2)]);
    assert_fault(&seen(&ledger, vec![point(2), point(1)]), "double: t,series=s at 0");
}

#[test]
fn a_series_is_judged_alone() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![row("s", 0, &[("a", 1)]), row("r", 0, &[("a", 2)])]);
    let scope = Scope { table: "t".to_owned(), series: Some("r".to_owned()) };
    let view = View { rows: vec![row("r", 0, &[("a", 2)])] };
    assert_clean(&ledger.judge(ledger.begin_read(), &scope, &view));
    let view = View { rows: vec![row("r", 0, &[("a", 2)]), row("s", 0, &[("a", 1)])] };
    let verdict = ledger.judge(ledger.begin_read(), &scope, &view);
    assert_fault(&verdict, "phantom: t,series=s at 0 a: 1 was not asked for");
    let verdict = ledger.judge(ledger.begin_read(), &scope, &View::default());
    assert_fault(&verdict, "lost: t,series=r");
}

#[test]
fn a_fault_is_told_once_and_makes_none_of_what_follows() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    acked(&ledger, vec![point(2)]);
    for wrong in [vec![], vec![point(1)], vec![point(9)], vec![point(2), point(2)]] {
        assert_eq!(seen(&ledger, wrong).faults.len(), 1);
        assert_clean(&seen(&ledger, vec![point(2)]));
    }
}

#[test]
fn half_a_million_values_are_judged() {
    let ledger = Ledger::in_memory();
    let rows: Vec<Row> = (0..250_000)
        .map(|n| row(["s", "r"][n as usize % 2], n, &[("a", 2 * n + 1), ("b", 2 * n + 2)]))
        .collect();
    for request in rows.chunks(5_000) {
        acked(&ledger, request.to_vec());
    }
    assert_clean(&seen(&ledger, rows.clone()));
    let mut rows = rows;
    rows.swap_remove(77_777);
    assert_eq!(seen(&ledger, rows).lost(), 2);
}

#[test]
fn one_point_is_written_and_read_many_times() {
    let ledger = Ledger::in_memory();
    for value in 1..=20_000 {
        acked(&ledger, vec![point(value)]);
        if value % 7 == 0 {
            assert_clean(&seen(&ledger, vec![point(value)]));
        }
    }
    assert_fault(&seen(&ledger, vec![point(19_999)]), "stale");
}

#[test]
fn what_was_done_is_counted() {
    let ledger = Ledger::in_memory();
    assert_eq!((ledger.next_value(), ledger.next_value()), (1, 2));
    acked(&ledger, vec![point(1), row("s", 2, &[("a", 2)])]);
    sent(&ledger, vec![point(8)], Outcome::Rejected);
    sent(&ledger, vec![point(9)], Outcome::Unknown);
    let _ = ledger.invoke(vec![]);
    ledger.crashed();
    seen(&ledger, vec![]);
    let counts = ledger.counts();
    assert_eq!((counts.acked, counts.rejected, counts.unknown), (1, 1, 2));
    assert_eq!((counts.rows, counts.rows_acked), (4, 2));
    assert_eq!((counts.reads, counts.crashes), (1, 1));
    assert_eq!(ledger.tables(), ["t"]);
    assert_eq!(ledger.next_value(), 10, "above what others chose");
}

#[test]
#[should_panic(expected = "has ended before")]
fn a_request_ends_once() {
    let ledger = Ledger::in_memory();
    let op = sent(&ledger, vec![point(1)], Outcome::Unknown);
    ledger.end(op, Outcome::Acked);
}
