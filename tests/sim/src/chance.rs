//! Chance: whatever a seed decides is drawn from one of these.

use std::sync::Arc;
use std::time::Duration;

use types::effect::{Randomness, SeededRandomness};

/// A sequence of draws. Clones draw from the same one.
#[derive(Clone, Debug)]
pub(crate) struct Chance(Arc<SeededRandomness>);

impl Chance {
    /// The sequence of `seed`.
    pub(crate) fn of(seed: u64) -> Self {
        Self(Arc::new(SeededRandomness::new(seed)))
    }

    /// A sequence of its own, so that what one actor draws moves no other.
    pub(crate) fn fork(&self) -> Self {
        Self::of(self.0.next_u64())
    }

    /// The sequence of `seed` for one matter alone: what it draws leaves all other draws as they
    /// are.
    pub(crate) fn of_matter(seed: u64, name: &str) -> Self {
        let mix = |mixed: u64, byte: u8| Self::of(mixed ^ u64::from(byte)).0.next_u64();
        Self::of(name.bytes().fold(seed, mix))
    }

    /// The sequence as the effect that the crates are given.
    pub(crate) fn randomness(&self) -> Arc<dyn Randomness> {
        Arc::clone(&self.0) as Arc<dyn Randomness>
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    /// A number from `first` to `last`, both included.
    pub(crate) fn within(&self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True once in `times`.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// An index below `len`, which is not 0.
    pub(crate) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// So many milliseconds, from `first` to `last`.
    pub(crate) fn millis(&self, first: u64, last: u64) -> Duration {
        Duration::from_millis(self.within(first, last))
    }

    /// The numbers below `len` in some order.
    pub(crate) fn order(&self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for at in (1..len).rev() {
            order.swap(at, self.index(at + 1));
        }
        order
    }
}
