//! Whether persisting keeps up, as a state with hysteresis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

/// Entered when a job that frees memory finds no permit; left when half of the permits are free
/// and no such job waits.
///
/// ```text
///                 a job that frees memory finds no permit
///   keeping up ───────────────────────────────────────────▶ saturated
///              ◀───────────────────────────────────────────
///                 half of the permits are free, none waits
/// ```
///
/// Permits of housekeeping count as free, as long as there is one that is: housekeeping is in no
/// hurry, so that it holds half of them for an hour must not refuse a write.
///
/// Both sides look under one lock, and who enters looks for the way out once more when its wait
/// ends; so a permit that comes back between a failed try and the entry leaves nobody saturated.
#[derive(Debug)]
pub(crate) struct Saturation {
    permits: Arc<Semaphore>,
    depth: usize,
    /// Jobs that free memory and wait for a permit.
    waiting: Mutex<usize>,
    /// Permits that housekeeping holds.
    housekeeping: AtomicUsize,
    saturated: watch::Sender<bool>,
}

impl Saturation {
    pub(crate) fn new(permits: Arc<Semaphore>, depth: usize) -> Arc<Self> {
        Arc::new(Self {
            permits,
            depth,
            waiting: Mutex::new(0),
            housekeeping: AtomicUsize::new(0),
            saturated: watch::Sender::new(false),
        })
    }

    pub(crate) fn is_saturated(&self) -> bool {
        *self.saturated.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.saturated.subscribe()
    }

    /// A job that frees memory found no permit; it waits as long as the guard lives.
    pub(crate) fn enter(self: &Arc<Self>) -> Waiting {
        let mut waiting = self.waiting.lock();
        *waiting += 1;
        if !self.saturated.send_replace(true) {
            tracing::warn!("persisting is saturated, new writes are refused");
        }
        Waiting(Arc::clone(self))
    }

    /// Housekeeping took a permit.
    pub(crate) fn housekeeping_began(&self) {
        // Relaxed, here and below: a number, read under the lock by who has just changed it.
        self.housekeeping.fetch_add(1, Ordering::Relaxed);
    }

    /// Housekeeping is about to give its permit back.
    pub(crate) fn housekeeping_ends(&self) {
        self.housekeeping.fetch_sub(1, Ordering::Relaxed);
    }

    /// A permit came back.
    pub(crate) fn permit_returned(&self) {
        self.leave_if_over(&self.waiting.lock());
    }

    fn leave_if_over(&self, waiting: &usize) {
        let free = self.permits.available_permits();
        let as_good_as_free = free + self.housekeeping.load(Ordering::Relaxed);
        let half_are_free = free > 0 && as_good_as_free * 2 >= self.depth;
        if *waiting == 0 && half_are_free && self.saturated.send_replace(false) {
            tracing::info!("persisting keeps up again");
        }
    }
}

/// A job that frees memory and has no permit.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Saturation>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock();
        *waiting -= 1;
        self.0.leave_if_over(&waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(saturation: &Saturation, expected: bool, why: &str) {
        saturation.permit_returned();
        assert_eq!(saturation.is_saturated(), expected, "{why}");
        assert_eq!(*saturation.watch().borrow(), expected, "{why}");
    }

    #[test]
    fn it_is_left_when_half_is_free_and_nobody_waits() {
        let permits = Arc::new(Semaphore::new(0));
        let saturation = Saturation::new(Arc::clone(&permits), 4);
        check(&saturation, false, "nobody needed a permit");
        let waiting = saturation.enter();
        check(&saturation, true, "one waits");
        permits.add_permits(2);
        check(&saturation, true, "half is free, but one waits");
        permits.forget_permits(1);
        drop(waiting);
        check(&saturation, true, "none waits, but a quarter is free");
        permits.add_permits(1);
        check(&saturation, false, "none waits, and half is free");
    }

    #[test]
    fn z11_a_permit_that_came_back_before_the_entry_is_seen() {
        let saturation = Saturation::new(Arc::new(Semaphore::new(4)), 4);
        drop(saturation.enter());
        assert!(!saturation.is_saturated());
    }
}
