//! How fast bytes are given back, as of the last seconds.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use types::effect::Clock;

/// What was given back so long ago counts a third of what is given back now. Files are written
/// every few seconds under load, and each gives back all that it holds at once.
const MEMORY: Duration = Duration::from_secs(10);

/// Bytes per second, each byte with a weight that falls with its age: an exponentially weighted
/// rate, which needs no history.
#[derive(Debug)]
pub(crate) struct DrainRate {
    clock: Arc<dyn Clock>,
    sum: Mutex<Option<WeightedSum>>,
}

/// The bytes that were given back, with the weights that they have at a moment.
#[derive(Clone, Copy, Debug)]
struct WeightedSum {
    since: Duration,
    at: Duration,
    bytes: f64,
    /// When somebody asked for the first time since.
    asked: Option<Duration>,
}

impl WeightedSum {
    fn at(self, now: Duration) -> Self {
        let age = now.saturating_sub(self.at).as_secs_f64() / MEMORY.as_secs_f64();
        let (at, bytes) = (now.max(self.at), self.bytes * (-age).exp());
        Self { since: self.since, at, bytes, asked: None }
    }

    fn per_second(self) -> f64 {
        // Of a shorter history than is remembered only the weights that it can have are counted,
        // and never less than a second of it: one byte makes no rate.
        let history = self.at.saturating_sub(self.since).as_secs_f64().max(1.0);
        let weights = MEMORY.as_secs_f64() * -(-history / MEMORY.as_secs_f64()).exp_m1();
        self.bytes / weights
    }
}

impl DrainRate {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, sum: Mutex::new(None) }
    }

    /// So many bytes were just given back.
    pub(crate) fn freed(&self, bytes: u64) {
        let now = self.clock.monotonic();
        let mut sum = self.sum.lock();
        let before = sum.unwrap_or(WeightedSum { since: now, at: now, bytes: 0.0, asked: None });
        let before = before.at(now);
        *sum = Some(WeightedSum { bytes: before.bytes + bytes as f64, ..before });
    }

    /// How long it takes until `bytes` more are given back; nothing if none ever were.
    ///
    /// Time in which nobody asked does not count: where there is room nothing need be given back,
    /// and a node that was idle is not slow.
    pub(crate) fn time_to_free(&self, bytes: u64) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut guard = self.sum.lock();
        let sum = guard.as_mut()?;
        let idle = sum.asked.get_or_insert(now).saturating_sub(sum.at);
        let rate = sum.at(now.saturating_sub(idle)).per_second();
        drop(guard);
        let seconds = bytes as f64 / rate;
        // Also where nothing was given back for so long that the rate is zero, or no number.
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use types::effect::ManualClock;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn seconds(rate: &DrainRate, bytes: u64) -> f64 {
        rate.time_to_free(bytes).expect("there is a rate").as_secs_f64()
    }

    /// Gives back `bytes` each second, so many times.
    fn drain(clock: &ManualClock, rate: &DrainRate, bytes: u64, times: u32) {
        for _ in 0..times {
            clock.advance(Duration::from_secs(1));
            rate.freed(bytes);
        }
    }

    fn new() -> (Arc<ManualClock>, DrainRate) {
        let clock = Arc::new(ManualClock::default());
        let rate = DrainRate::new(Arc::clone(&clock) as Arc<dyn Clock>);
        (clock, rate)
    }

    #[test]
    fn a_steady_drain_is_told_as_it_is() {
        let (clock, rate) = new();
        assert_eq!(rate.time_to_free(1), None, "nothing is known yet");
        drain(&clock, &rate, 10 * MIB, 5);
        let early = seconds(&rate, 100 * MIB);
        assert!((5.0..15.0).contains(&early), "{early} s after a short history");
        drain(&clock, &rate, 10 * MIB, 60);
        let late = seconds(&rate, 100 * MIB);
        assert!((9.0..11.0).contains(&late), "{late} s");
    }

    #[test]
    fn the_last_seconds_count_most() {
        let (clock, rate) = new();
        drain(&clock, &rate, MIB, 60);
        drain(&clock, &rate, 20 * MIB, 30);
        let faster = seconds(&rate, 100 * MIB);
        assert!((4.5..6.0).contains(&faster), "{faster} s");
        clock.advance(Duration::from_secs(60));
        assert!(seconds(&rate, 100 * MIB) > 300.0, "nothing was given back for a minute");
        clock.advance(Duration::from_secs(1_000_000));
        assert_eq!(rate.time_to_free(1), Some(Duration::MAX));
    }

    #[test]
    fn a_node_that_was_idle_is_not_slow() {
        let (clock, rate) = new();
        drain(&clock, &rate, 10 * MIB, 60);
        clock.advance(Duration::from_secs(600));
        let burst = seconds(&rate, 100 * MIB);
        assert!((9.0..11.0).contains(&burst), "{burst} s when room is wanted again");
        clock.advance(Duration::from_secs(60));
        assert!(seconds(&rate, 100 * MIB) > 300.0, "it was wanted for a minute, and none came");
        drain(&clock, &rate, 10 * MIB, 30);
        let again = seconds(&rate, 100 * MIB);
        assert!((9.0..12.0).contains(&again), "{again} s");
    }
}
