//! The clock: virtual time, and a wall that jumps.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use types::effect::Clock;

/// The clock of one process, made on its runtime.
#[derive(Debug)]
pub(crate) struct SimClock {
    began: Instant,
    /// Wall time at the beginning.
    wall_ns: i64,
    /// What wall time has jumped by since.
    jumped_ns: AtomicI64,
    /// Time that passed while a stack was waiting, which the runtime knows nothing of.
    waited_ns: AtomicU64,
}

impl SimClock {
    /// A clock that shows `wall_ns` now.
    pub(crate) fn at(wall_ns: i64) -> Self {
        Self {
            began: Instant::now(),
            wall_ns,
            jumped_ns: AtomicI64::new(0),
            waited_ns: AtomicU64::new(0),
        }
    }

    /// Moves wall time alone.
    pub(crate) fn jump(&self, by_ns: i64) {
        self.jumped_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    /// Lets time pass for whoever looks at this clock while the runtime cannot go on.
    pub(crate) fn wait(&self, time: Duration) {
        self.waited_ns.fetch_add(nanos(time), Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_ns(&self) -> i64 {
        let passed = i64::try_from(nanos(self.monotonic())).unwrap_or(i64::MAX);
        self.wall_ns + self.jumped_ns.load(Ordering::Relaxed) + passed
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed() + Duration::from_nanos(self.waited_ns.load(Ordering::Relaxed))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
