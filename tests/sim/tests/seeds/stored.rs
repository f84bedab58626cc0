//! Seeds that once found a bug are run for ever.

use super::check_clean;

#[test]
fn seeds_that_once_failed_are_clean() {
    for line in include_str!("../../seeds.txt").lines() {
        let seed = line.split('#').next().unwrap_or_default().trim();
        if !seed.is_empty() {
            check_clean(seed.parse().expect("a line is a seed, and a comment behind #"));
        }
    }
}
