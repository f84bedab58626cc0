//! Do the crash tests notice the mistakes that they are there to find?
//!
//! Method: plant one in this process, for good, and let the process of the catalog die at one call
//! after the other until a check fails. So each test needs a process of its own, which
//! `cargo nextest run` gives to every test; under `cargo test` they would spoil each other.

use std::panic::catch_unwind;

use types::fault::{self, Bug, Switch};
use wal::disk::Cut;

use crate::crash::crash_at;

/// A whole run has fewer calls by far than this.
const CALLS_MAX: u64 = 10_000;

/// Plants `bug` and wants a crash at some call to end badly.
#[expect(clippy::print_stdout, reason = "it is told how soon a planted bug is caught")]
fn check(bug: Bug) {
    fault::set(Switch::Plant(bug)).expect("this test has a process of its own");
    // A run that is over without a crash has passed all checks. Threads take turns as they like, so
    // what was found once need not be found again.
    let end = |call: u64| match catch_unwind(|| crash_at(call, Cut::Kill)) {
        Err(_) => Some((call, true)),
        Ok(complete) => complete.then_some((call, false)),
    };
    let (call, caught) = (1..CALLS_MAX).find_map(end).expect("a run ends");
    assert!(caught, "{} passes a crash at each of {call} calls", bug.name());
    println!("planted {} caught at seed {call}", bug.name());
}

#[test]
fn an_epoch_that_is_not_checked_is_caught() {
    check(Bug::NoEpochCheck);
}

#[test]
fn a_retry_that_is_not_recognised_is_caught() {
    check(Bug::RetryNotIdempotent);
}
