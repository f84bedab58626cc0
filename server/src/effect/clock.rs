//! The machine's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use types::effect::Clock;

/// Wall time and time since this value was made.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic face begins at zero now.
    #[allow(clippy::disallowed_methods, reason = "this is the real clock")]
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the real clock")]
    fn now_ns(&self) -> i64 {
        // A machine that believes to live before 1970 or after 2262 is given the nearest end.
        let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
        };
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_in_nanoseconds_and_monotonic_time_never_falls() {
        const YEAR_2020_NS: i64 = 1_577_836_800_000_000_000;
        let clock = SystemClock::new();
        let before = clock.monotonic();
        assert!(clock.now_ns() > YEAR_2020_NS);
        assert!(clock.monotonic() >= before);
    }
}
