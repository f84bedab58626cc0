//! Seeds that once found a bug are run for ever.

use sim::{Kind, Violation, line_to_keep};

use super::check_clean;

#[test]
fn seeds_that_once_failed_are_clean() {
    for line in include_str!("../../seeds.txt").lines() {
        if let Some(seed) = seed_of(line) {
            check_clean(seed);
        }
    }
}

fn seed_of(line: &str) -> Option<u64> {
    let seed = line.split('#').next().unwrap_or_default().trim();
    let parse = || seed.parse().expect("a line is a seed, and a comment behind #");
    (!seed.is_empty()).then(parse)
}

#[test]
fn the_line_that_is_printed_for_a_seed_keeps_it() {
    let what = "after the last start: 3 lost\n  row 7".to_owned();
    let line = line_to_keep(42, &Violation { kind: Kind::Read, what });
    assert_eq!(line, "42 # Read: after the last start: 3 lost");
    assert_eq!(seed_of(&line), Some(42));
    assert_eq!(seed_of("# 43"), None);
}
