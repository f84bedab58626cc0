//! Last write wins, field by field; and nothing that was seen is taken back.

use super::*;

#[test]
fn an_older_value_is_found() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    acked(&ledger, vec![point(2)]);
    assert_fault(&seen(&ledger, vec![point(1)]), "stale: t,series=s at 0 a: 1 is there, 2");
    assert_clean(&seen(&ledger, vec![point(2)]));
}

#[test]
fn the_last_write_wins_field_by_field() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![row("s", 0, &[("a", 1), ("b", 2)])]);
    acked(&ledger, vec![row("s", 0, &[("b", 3), ("c", 4)])]);
    acked(&ledger, vec![row("s", 0, &[("a", 5)])]);
    let whole = row("s", 0, &[("c", 4), ("a", 5), ("b", 3)]);
    assert_clean(&seen(&ledger, vec![whole]));
    let old = row("s", 0, &[("a", 5), ("b", 2), ("c", 4)]);
    assert_fault(&seen(&ledger, vec![old]), "stale: t,series=s at 0 b");
    let hidden = row("s", 0, &[("a", 5)]);
    assert_eq!(seen(&ledger, vec![hidden]).lost(), 2, "a newer row hides no older field");
}

#[test]
fn of_two_rows_of_one_request_the_last_one_wins() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![row("s", 0, &[("a", 1), ("b", 2)]), row("s", 0, &[("a", 3)])]);
    assert_clean(&seen(&ledger, vec![row("s", 0, &[("a", 3), ("b", 2)])]));
    assert_eq!(seen(&ledger, vec![row("s", 0, &[("a", 1), ("b", 2)])]).faults.len(), 1);
}

#[test]
fn of_concurrent_writes_either_may_be_the_last() {
    for (first, second) in [(1, 2), (2, 1)] {
        let ledger = Ledger::in_memory();
        let one = ledger.invoke(vec![point(first)]);
        let two = ledger.invoke(vec![point(second)]);
        ledger.end(two, Outcome::Acked);
        ledger.end(one, Outcome::Acked);
        assert_clean(&seen(&ledger, vec![point(1)]));
    }
}

#[test]
fn of_concurrent_writes_one_is_the_last_for_good() {
    let ledger = Ledger::in_memory();
    let (one, two) = (ledger.invoke(vec![point(1)]), ledger.invoke(vec![point(2)]));
    ledger.end(one, Outcome::Acked);
    ledger.end(two, Outcome::Acked);
    assert_clean(&seen(&ledger, vec![point(2)]));
    assert_fault(&seen(&ledger, vec![point(1)]), "regressed: t,series=s at 0 a: 1 is there, 2");
    assert_clean(&seen(&ledger, vec![point(2)]));
    // One more, after both, decides.
    acked(&ledger, vec![point(3)]);
    assert_fault(&seen(&ledger, vec![point(2)]), "stale");
    assert_clean(&seen(&ledger, vec![point(3)]));
}

#[test]
fn a_concurrent_write_may_still_change_what_was_seen() {
    let ledger = Ledger::in_memory();
    let (one, two) = (ledger.invoke(vec![point(1)]), ledger.invoke(vec![point(2)]));
    ledger.end(two, Outcome::Acked);
    assert_clean(&seen(&ledger, vec![point(2)]));
    assert_clean(&seen(&ledger, vec![point(1)]));
    ledger.end(one, Outcome::Acked);
    assert_fault(&seen(&ledger, vec![point(2)]), "regressed");
}

#[test]
fn what_was_seen_does_not_go_away() {
    let ledger = Ledger::in_memory();
    let _ = ledger.invoke(vec![point(1)]);
    assert_clean(&seen(&ledger, vec![point(1)]));
    assert_fault(&seen(&ledger, vec![]), "regressed: t,series=s at 0 a: nothing is there, 1");
}

#[test]
fn what_was_seen_survives_a_crash() {
    let ledger = Ledger::in_memory();
    let op = ledger.invoke(vec![point(1)]);
    assert_clean(&seen(&ledger, vec![point(1)]));
    ledger.crashed();
    ledger.end(op, Outcome::Unknown);
    assert_fault(&seen(&ledger, vec![]), "regressed");
    assert_clean(&seen(&ledger, vec![point(1)]));
}

#[test]
fn a_newer_value_that_was_seen_does_not_become_an_older_one() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    let _ = ledger.invoke(vec![point(2)]);
    assert_clean(&seen(&ledger, vec![point(1)]));
    assert_clean(&seen(&ledger, vec![point(2)]));
    assert_fault(&seen(&ledger, vec![point(1)]), "regressed: t,series=s at 0 a: 1 is there, 2");
}

#[test]
fn reads_that_overlap_may_differ() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    let _ = ledger.invoke(vec![point(2)]);
    let slow = ledger.begin_read();
    assert_clean(&seen(&ledger, vec![point(2)]));
    assert_clean(&judged(&ledger, slow, vec![point(1)]));
    assert_clean(&seen(&ledger, vec![point(2)]));
}

#[test]
fn reads_that_overlap_agree_on_what_had_ended() {
    let ledger = Ledger::in_memory();
    let (one, two) = (ledger.invoke(vec![point(1)]), ledger.invoke(vec![point(2)]));
    ledger.end(one, Outcome::Acked);
    ledger.end(two, Outcome::Acked);
    let (early, late) = (ledger.begin_read(), ledger.begin_read());
    assert_clean(&judged(&ledger, late, vec![point(2)]));
    // Both began when both writes had ended.
    assert_fault(&judged(&ledger, early, vec![point(1)]), "regressed");
}

#[test]
fn what_is_unknown_may_come_late() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    sent(&ledger, vec![point(2)], Outcome::Unknown);
    assert_clean(&seen(&ledger, vec![point(1)]));
    acked(&ledger, vec![point(3)]);
    assert_clean(&seen(&ledger, vec![point(3)]));
    assert_clean(&seen(&ledger, vec![point(2)]));
    assert_fault(&seen(&ledger, vec![point(3)]), "regressed");
}

#[test]
fn what_a_crash_left_undone_may_be_there_or_not() {
    for rows in [vec![], vec![point(1)]] {
        let ledger = Ledger::in_memory();
        sent(&ledger, vec![point(1)], Outcome::Unknown);
        ledger.crashed();
        assert_clean(&seen(&ledger, rows.clone()));
        assert_clean(&seen(&ledger, rows));
    }
}

#[test]
fn what_a_crash_left_undone_does_not_come_back() {
    let ledger = Ledger::in_memory();
    sent(&ledger, vec![point(1)], Outcome::Unknown);
    ledger.crashed();
    assert_clean(&seen(&ledger, vec![]));
    assert_fault(&seen(&ledger, vec![point(1)]), "phantom: t,series=s at 0 a: 1 was missing");
}

#[test]
fn what_a_crash_left_undone_does_not_come_back_over_an_older_value() {
    let ledger = Ledger::in_memory();
    acked(&ledger, vec![point(1)]);
    sent(&ledger, vec![point(2)], Outcome::Unknown);
    ledger.crashed();
    assert_clean(&seen(&ledger, vec![point(1)]));
    assert_fault(&seen(&ledger, vec![point(2)]), "phantom");
}

#[test]
fn what_a_crash_left_undone_does_not_win_over_what_came_after() {
    let ledger = Ledger::in_memory();
    sent(&ledger, vec![point(1)], Outcome::Unknown);
    ledger.crashed();
    acked(&ledger, vec![point(2)]);
    assert_fault(&seen(&ledger, vec![point(1)]), "stale");
}

#[test]
fn a_repetition_is_the_same_write() {
    let ledger = Ledger::in_memory();
    sent(&ledger, vec![point(1)], Outcome::Unknown);
    sent(&ledger, vec![point(1)], Outcome::Rejected);
    assert_clean(&seen(&ledger, vec![]));
    acked(&ledger, vec![point(1)]);
    assert_clean(&seen(&ledger, vec![point(1)]));
    assert_fault(&seen(&ledger, vec![]), "lost");
    ledger.crashed();
    assert_fault(&seen(&ledger, vec![]), "lost");
}

#[test]
fn a_repetition_may_win_over_what_came_between() {
    let ledger = Ledger::in_memory();
    sent(&ledger, vec![point(1)], Outcome::Unknown);
    assert_clean(&seen(&ledger, vec![point(1)]));
    acked(&ledger, vec![point(2)]);
    assert_clean(&seen(&ledger, vec![point(2)]));
    let repetition = ledger.invoke(vec![point(1)]);
    assert_clean(&seen(&ledger, vec![point(2)]));
    assert_clean(&seen(&ledger, vec![point(1)]));
    ledger.end(repetition, Outcome::Acked);
    ledger.crashed();
    assert_clean(&seen(&ledger, vec![point(1)]));
    acked(&ledger, vec![point(3)]);
    assert_fault(&seen(&ledger, vec![point(1)]), "stale");
}

#[test]
fn what_was_rejected_each_time_is_a_phantom() {
    let ledger = Ledger::in_memory();
    sent(&ledger, vec![point(1)], Outcome::Rejected);
    sent(&ledger, vec![point(1)], Outcome::Rejected);
    assert_fault(&seen(&ledger, vec![point(1)]), "phantom");
    sent(&ledger, vec![point(1)], Outcome::Unknown);
    assert_clean(&seen(&ledger, vec![point(1)]));
}
