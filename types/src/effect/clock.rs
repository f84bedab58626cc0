//! Time as an effect.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Tells the time. Nothing stored is ordered by it.
pub trait Clock: Debug + Send + Sync {
    /// Wall time in nanoseconds since 1970-01-01 UTC; it may jump both ways.
    fn now_ns(&self) -> i64;

    /// Time since some fixed moment of this process; it never falls.
    fn monotonic(&self) -> Duration;
}

/// A clock that moves only when it is told to.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_ns: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `wall_ns`.
    pub fn at(wall_ns: i64) -> Self {
        Self { wall_ns: AtomicI64::new(wall_ns), monotonic_ns: AtomicU64::new(0) }
    }

    /// Lets `step` pass on both faces.
    pub fn advance(&self, step: Duration) {
        let nanos = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        // Relaxed: a reader needs some moment, not an order with other memory.
        self.monotonic_ns.fetch_add(nanos, Ordering::Relaxed);
        self.wall_ns.fetch_add(i64::try_from(nanos).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Sets wall time alone, as an administrator or a bad time server would.
    pub fn jump_to(&self, wall_ns: i64) {
        self.wall_ns.store(wall_ns, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::Relaxed))
    }
}
