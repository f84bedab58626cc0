//! Chance from the operating system.

use types::effect::Randomness;

/// A generator for cryptographic use, seeded by the operating system on each thread: ids cannot be
/// guessed, nor can the keys of hash tables that clients fill.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OsRandomness;

impl Randomness for OsRandomness {
    #[allow(clippy::disallowed_methods, reason = "this is the real chance")]
    fn next_u64(&self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_do_not_repeat() {
        let drawn: BTreeSet<u64> = (0..1000).map(|_| OsRandomness.next_u64()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}
