//! Goal: in minutes, what the long runs show in hours: nothing acknowledged is lost.
//! Method: each scenario with small counts; what it reports is printed for who reads it, and only
//! broken promises fail.

#![allow(clippy::disallowed_methods, reason = "real processes, whose effects nobody passes in")]

use torture::Settings;
use torture::report::Report;
use torture::scenario::{
    eio, full_disk, kills, memory, outage, overload, pause, power, recovery, rot, slow_disk,
};

/// The exit code of a server that has found damage.
const EXIT_CORRUPT: i32 = 65;

#[track_caller]
fn assert_clean<R: Report>(report: Result<R, torture::Error>) {
    let report = report.expect("the scenario runs to its end");
    report.print().expect("is printed");
    assert!(report.is_clean(), "{report:#?}");
}

#[test]
fn kills_at_random_moments_and_named_points_lose_nothing() {
    let options = kills::Options { rounds: 25, rounds_a_directory: 25 };
    assert_clean(kills::run(&Settings::of_test(1), &options));
}

#[test]
fn kills_over_what_other_kills_left_lose_nothing() {
    let options = kills::Options { rounds: 25, rounds_a_directory: 13 };
    assert_clean(kills::run(&Settings::of_test(2), &options));
}

#[test]
fn power_cuts_lose_nothing() {
    let options = power::Options { rounds: 20, fs: "ext4".to_owned(), fault: None };
    let report = power::run(&Settings::of_test(3), &options);
    let slow_cuts = report.as_ref().map_or(0, |report| report.slow_cuts);
    assert_clean(report);
    // What they leave is up to chance.
    assert_eq!(slow_cuts, 10, "half of the cuts are in the middle of slow writes");
}

/// Goal: the cuts really take what was not synced; otherwise that nothing is lost shows nothing.
/// Method: a server that acknowledges before its sync. It is found by what is missing, or by a log
/// that tells of more than there is; that anything else goes wrong does not count.
#[test]
fn power_cuts_find_a_server_that_acknowledges_before_its_sync() {
    let fault = Some("bug:ack-before-fsync".to_owned());
    let options = power::Options { rounds: 10, fs: "ext4".to_owned(), fault };
    match power::run(&Settings::of_test(11), &options) {
        Ok(report) => {
            let not_there = report.totals.lost + report.totals.stale;
            assert!(not_there > 0, "{report:#?}");
        }
        Err(torture::Error::Ended { code, .. }) => assert_eq!(code, Some(EXIT_CORRUPT)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_failed_sync_ends_the_server_and_loses_nothing() {
    assert_clean(eio::run(&Settings::of_test(4), &eio::Options { rounds: 20 }));
}

#[test]
fn a_full_disk_refuses_writes_answers_reads_and_goes_on() {
    assert_clean(full_disk::run(&Settings::of_test(5), &full_disk::Options { rounds: 4 }));
}

#[test]
fn a_paused_server_keeps_its_directory_and_loses_nothing() {
    let options = pause::Options { rounds: 3, stop_ms: 1_500 };
    assert_clean(pause::run(&Settings::of_test(6), &options));
}

#[test]
fn rot_is_refused_or_harmless() {
    assert_clean(rot::run(&Settings::of_test(7), &rot::Options { rounds: 20 }));
}

#[test]
fn an_outage_of_the_object_store_passes_by_itself() {
    assert_clean(outage::run(&Settings::of_test(8), &short_outage(outage::Of::Store, 0.25)));
}

#[test]
fn a_catalog_that_hangs_for_a_while_loses_nothing_and_goes_on_by_itself() {
    let options = short_outage(outage::Of::CatalogHangs, 0.15);
    assert_clean(outage::run(&Settings::of_test(9), &options));
}

#[test]
fn a_catalog_that_refuses_for_a_while_loses_nothing_and_goes_on_by_itself() {
    let options = short_outage(outage::Of::CatalogRefuses, 0.15);
    assert_clean(outage::run(&Settings::of_test(10), &options));
}

fn short_outage(of: outage::Of, minutes: f64) -> outage::Options {
    outage::Options { of, minutes, memory_budget: "128MiB".to_owned() }
}

/// Goal: memory stays within its bounds, and nothing is lost, whatever the load. How fast it is, the
/// long runs judge.
#[test]
fn a_load_of_some_databases_at_once_gets_through_in_a_small_cgroup() {
    let options = memory::Options { databases: 3, lines: 10_000 };
    assert_clean(memory::run(&Settings::of_test(12), &options));
}

#[test]
fn a_load_that_is_twice_what_it_can_take_costs_nothing_that_was_kept() {
    let options = overload::Options { seconds: 4, memory_budget: "256MiB".to_owned() };
    assert_clean(overload::run(&Settings::of_test(13), &options));
}

#[test]
fn a_load_that_is_still_in_the_log_is_recovered_whole() {
    let options = recovery::Options { size_mib: 32, memory_budget: "256MiB".to_owned() };
    assert_clean(recovery::run(&Settings::of_test(14), &options));
}

#[test]
fn a_load_on_a_slow_disk_waits_and_loses_nothing() {
    let options = slow_disk::Options { delays_ms: vec![0, 50], seconds: 2 };
    assert_clean(slow_disk::run(&Settings::of_test(15), &options));
}
