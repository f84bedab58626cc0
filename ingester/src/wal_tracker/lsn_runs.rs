//! LSNs in rising order, as runs of equal steps.
//!
//! A partition's batches often come at a regular distance: each request of a client has a batch for
//! each of the same ten tables, say. So ten million LSNs take a few bytes; and where they come as
//! they like, two of them take the 16 bytes that they would take in a list.

use types::{Lsn, LsnRange};

/// The LSNs `first`, `first + step`, and so on: `count` of them, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    step: u32,
    count: u32,
}

impl Run {
    const fn of(lsn: u64) -> Self {
        Self { first: lsn, step: 1, count: 1 }
    }

    fn at(self, place: u32) -> u64 {
        self.first + u64::from(self.step) * u64::from(place)
    }

    fn last(self) -> u64 {
        self.at(self.count - 1)
    }

    /// The run with `lsn` at its end, if that is a step away. A single LSN has no step yet.
    fn extended_by(self, lsn: u64) -> Option<Self> {
        let step = u32::try_from(lsn.checked_sub(self.last())?).ok().filter(|step| *step > 0)?;
        let fits = self.count == 1 || step == self.step;
        let count = self.count.checked_add(1)?;
        fits.then_some(Self { step, count, ..self })
    }

    /// How many of the LSNs are below `lsn`.
    fn count_below(self, lsn: u64) -> u32 {
        let steps = lsn.saturating_sub(self.first).div_ceil(u64::from(self.step));
        u32::try_from(steps).map_or(self.count, |steps| steps.min(self.count))
    }

    /// The LSNs from place `from` on and before place `to`.
    fn part(self, from: u32, to: u32) -> Option<Self> {
        (from < to).then(|| Self { first: self.at(from), count: to - from, ..self })
    }
}

/// A set of LSNs to which they are added in rising order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LsnRuns(Vec<Run>);

impl LsnRuns {
    /// Adds an LSN above all that were ever added.
    pub(super) fn push(&mut self, lsn: Lsn) {
        let lsn = lsn.get();
        if let Some(last) = self.0.last_mut()
            && let Some(extended) = last.extended_by(lsn)
        {
            *last = extended;
        } else {
            self.0.push(Run::of(lsn));
        }
    }

    /// Removes those within `lsns`.
    pub(super) fn remove(&mut self, lsns: LsnRange) {
        let (from, to) = (lsns.first().get(), lsns.last().get().saturating_add(1));
        let begin = self.0.partition_point(|run| run.last() < from);
        let end = self.0.partition_point(|run| run.first < to);
        let (first, last) = match &self.0[begin..end] {
            [] => return,
            [only] => (*only, *only),
            [first, .., last] => (*first, *last),
        };
        let before = first.part(0, first.count_below(from));
        let behind = last.part(last.count_below(to), last.count);
        drop(self.0.splice(begin..end, before.into_iter().chain(behind)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest.
    pub(super) fn last(&self) -> Option<Lsn> {
        self.0.last().map(|run| Lsn::new(run.last()))
    }
}

#[cfg(test)]
mod tests {
    use types::effect::{Randomness, SeededRandomness};

    use super::*;

    fn lsns(runs: &LsnRuns) -> Vec<u64> {
        runs.0.iter().flat_map(|run| (0..run.count).map(|place| run.at(place))).collect()
    }

    #[test]
    fn equal_steps_take_one_run() {
        let mut runs = LsnRuns::default();
        for lsn in (10..10_000).step_by(10) {
            runs.push(Lsn::new(lsn));
        }
        assert_eq!(runs.0, [Run { first: 10, step: 10, count: 999 }]);
        runs.remove(LsnRange::new(Lsn::new(15), Lsn::new(9_980)));
        assert_eq!(lsns(&runs), [10, 9_990]);
    }

    #[test]
    fn whatever_is_pushed_and_removed_they_are_the_lsns_of_a_plain_list() {
        let randomness = SeededRandomness::new(3);
        let below = |bound: u64| randomness.next_u64() % bound;
        for _ in 0..200 {
            let (mut runs, mut list, mut next) = (LsnRuns::default(), Vec::new(), 1);
            let widest = 1 + below(4);
            for _ in 0..200 {
                if below(8) > 0 {
                    next += 1 + below(widest);
                    runs.push(Lsn::new(next));
                    list.push(next);
                } else {
                    let first = below(next) + 1;
                    let range = LsnRange::new(Lsn::new(first), Lsn::new(first + below(20)));
                    runs.remove(range);
                    list.retain(|lsn| !range.contains(Lsn::new(*lsn)));
                }
                assert_eq!(lsns(&runs), list);
                assert_eq!(runs.last().map(Lsn::get), list.last().copied());
            }
        }
    }
}
