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
    assert_eq!(of("judgements"), SEEDS_A_TEST, "{counts:?}");
}

macro_rules! ranges {
    ($($name:ident: $seeds:expr,)+) => {
        $(#[test]
        fn $name() {
            check($seeds);
        })+
    };
}

ranges! {
    seeds_0_to_24_are_clean: 0..25,
    seeds_25_to_49_are_clean: 25..50,
    seeds_50_to_74_are_clean: 50..75,
    seeds_75_to_99_are_clean: 75..100,
    seeds_100_to_124_are_clean: 100..125,
    seeds_125_to_149_are_clean: 125..150,
    seeds_150_to_174_are_clean: 150..175,
    seeds_175_to_199_are_clean: 175..200,
}
