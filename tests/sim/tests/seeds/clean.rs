//! Two hundred seeds without a planted bug: nothing is lost, nothing comes twice, nothing hangs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::check_clean;

const SEEDS_A_TEST: u64 = 25;

fn check(seeds: Range<u64>) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seeds {
        for (name, count) in check_clean(seed).counts {
            *counts.entry(name).or_default() += count;
        }
    }
    // A simulation in which nobody gets anything done, or is ever interrupted, proves nothing.
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    assert!(of("requests acknowledged") > 500, "{counts:?}");
    assert!(of("reads") > of("reads refused") && of("reads") > 100, "{counts:?}");
    assert!(of("requests cut off by a crash") >= 5, "{counts:?}");
    assert!(of("persist: set aside") > 0, "{counts:?}");
    assert!(of("starts refused over rot") + of("reads refused over rot") > 0, "{counts:?}");
    assert_eq!(of("judgements"), SEEDS_A_TEST, "{counts:?}");
}

#[test]
fn seeds_0_to_24_are_clean() {
    check(0..25);
}

#[test]
fn seeds_25_to_49_are_clean() {
    check(25..50);
}

#[test]
fn seeds_50_to_74_are_clean() {
    check(50..75);
}

#[test]
fn seeds_75_to_99_are_clean() {
    check(75..100);
}

#[test]
fn seeds_100_to_124_are_clean() {
    check(100..125);
}

#[test]
fn seeds_125_to_149_are_clean() {
    check(125..150);
}

#[test]
fn seeds_150_to_174_are_clean() {
    check(150..175);
}

#[test]
fn seeds_175_to_199_are_clean() {
    check(175..200);
}
