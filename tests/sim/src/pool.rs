//! The threads that sort and encode, as turns in place: now and then a job panics there, once or again
//! and again, so that it is tried once more or set aside.

use std::panic::resume_unwind;

use parking_lot::Mutex;
use types::effect::Pool;

use crate::chance::Chance;
use crate::trace::Trace;

/// The pool of one process.
#[derive(Debug)]
pub(crate) struct SimPool {
    chance: Chance,
    /// One piece of work in so many begins a row of panics; none if nothing is here.
    panics_once_in: Option<u64>,
    /// How many panics of the present row are still to come.
    left: Mutex<u64>,
    trace: Trace,
}

impl SimPool {
    pub(crate) fn new(chance: Chance, panics_once_in: Option<u64>, trace: &Trace) -> Self {
        Self { chance, panics_once_in, left: Mutex::new(0), trace: trace.clone() }
    }

    /// True if the next piece of work panics.
    fn panics(&self) -> bool {
        let mut left = self.left.lock();
        let begins = |times| self.chance.one_in(times);
        if *left == 0 && self.panics_once_in.is_some_and(begins) {
            // Up to one more than it takes to be set aside: that may fail too.
            *left = self.chance.pick(&[1, 2, 3, 3, 4]);
        }
        let panics = *left > 0;
        *left = left.saturating_sub(1);
        panics
    }
}

impl Pool for SimPool {
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        if self.panics() {
            self.trace.fault("persist: a job panics", format_args!("as it is encoded"));
            // Past the panic hook, which takes every panic for a finding.
            resume_unwind(Box::new("the simulation has it panic"));
        }
        work();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// True if a piece of work is done, false if it panics before it begins.
    fn is_done(pool: &SimPool) -> bool {
        let done = Arc::new(AtomicBool::new(false));
        let work = Arc::clone(&done);
        let work = Box::new(move || work.store(true, Ordering::Relaxed));
        let spawned = catch_unwind(AssertUnwindSafe(|| pool.spawn(work)));
        assert_eq!(spawned.is_ok(), done.load(Ordering::Relaxed));
        spawned.is_ok()
    }

    #[test]
    fn work_is_done_where_nothing_is_to_panic() {
        let pool = SimPool::new(Chance::of(1), None, &Trace::new(false));
        assert!((0..100).all(|_| is_done(&pool)));
    }

    #[test]
    fn panics_come_in_rows_and_are_counted() {
        let trace = Trace::new(false);
        let pool = SimPool::new(Chance::of(1), Some(10), &trace);
        let done: Vec<bool> = (0..500).map(|_| is_done(&pool)).collect();
        let panics = done.iter().filter(|done| !**done).count() as u64;
        assert_eq!(trace.faults().get("persist: a job panics"), Some(&panics));
        assert!(done.windows(3).any(|row| row.iter().all(|done| !done)), "long enough a row");
        assert!(panics < 250, "most is done");
    }
}
