//! How much a replay has in hand at once.

use std::num::NonZeroUsize;

/// Bytes in memory that a byte of an encoded body is taken for until it is decoded: columns are
/// narrowed when they are encoded, and a value of one byte has eight in memory. What it really is
/// counts as soon as it is known.
pub(super) const DECODED_PER_RAW: u64 = 8;

/// Bodies that are read and decoded together: enough to outweigh the hand-over between threads.
const STEP_BYTES_MAX: u64 = 4 << 20;
/// A budget that is too small for that replays in small steps, but not frame by frame.
const STEP_BYTES_MIN: u64 = 64 << 10;

/// The part of the memory for writes that steps in hand may take.
const SHARE_DIVISOR: u64 = 8;

/// How much a replay reads ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Steps that are decoded at once, at least one.
    pub(crate) workers: usize,
    /// Bytes of bodies after which a step ends; a single frame may be larger.
    pub(crate) step_bytes: u64,
}

impl Pace {
    /// The pace where writes may hold `open_bytes`: one step is read while each worker has one.
    pub(crate) fn within(open_bytes: u64, workers: NonZeroUsize) -> Self {
        let workers = workers.get();
        let steps = workers as u64 + 1;
        let step_bytes = open_bytes / SHARE_DIVISOR / DECODED_PER_RAW / steps;
        Self { workers, step_bytes: step_bytes.clamp(STEP_BYTES_MIN, STEP_BYTES_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(open_mib: u64, workers: usize, step_kib: u64) {
        let workers = NonZeroUsize::new(workers).expect("not zero");
        assert_eq!(Pace::within(open_mib << 20, workers).step_bytes, step_kib << 10);
    }

    #[test]
    fn steps_take_their_share_of_a_small_budget() {
        check(8 << 10, 3, 4 << 10);
        check(128, 1, 1 << 10);
        check(8, 2, 64);
    }
}
