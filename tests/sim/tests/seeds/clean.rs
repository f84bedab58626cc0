//! Two hundred seeds without a planted bug: nothing is lost, nothing comes twice, nothing hangs.

use std::ops::Range;

use super::check_clean;

fn check(seeds: Range<u64>) {
    let mut acknowledged = 0;
    let mut reads = 0;
    for seed in seeds {
        let outcome = check_clean(seed);
        acknowledged += outcome.counts.get("requests acknowledged").copied().unwrap_or(0);
        reads += outcome.counts.get("reads").copied().unwrap_or(0);
    }
    // A simulation in which nobody gets anything done proves nothing.
    assert!(acknowledged > 500 && reads > 100, "{acknowledged} requests and {reads} reads");
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
