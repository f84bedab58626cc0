//! When clients that are refused should come back: as soon as there may be room, and not all at
//! once.

use std::sync::Arc;
use std::time::Duration;

use types::effect::{Clock, Randomness};

use super::drain_rate::DrainRate;
use crate::state::ReplayProgress;

/// Nobody is sent away for longer, chance included: what is known now may be wrong by then.
const SECONDS_MAX: u64 = 30;
/// The longest time that chance is added to; it adds up to a half.
const SECONDS_MAX_UNSPREAD: u64 = SECONDS_MAX / 3 * 2;
/// Where nothing is known.
const UNKNOWN_SECONDS_MAX: u64 = 5;

/// Tells clients when to come back.
#[derive(Debug)]
pub(crate) struct RetryTimes {
    drain: DrainRate,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    /// When the node began to replay.
    begun: Duration,
}

impl RetryTimes {
    /// Knows nothing yet; if a node replays, it begins now.
    pub(crate) fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        let begun = clock.monotonic();
        Self { drain: DrainRate::new(Arc::clone(&clock)), clock, randomness, begun }
    }

    /// So many bytes were given back, of whatever there was no room for.
    pub(crate) fn freed(&self, bytes: u64) {
        self.drain.freed(bytes);
    }

    /// When so many bytes more will have been given back.
    pub(crate) fn after_freeing(&self, bytes: u64) -> Duration {
        match self.drain.time_to_free(bytes) {
            Some(time) => self.spread(time),
            None => self.soon(),
        }
    }

    /// When the replay will be over, if it goes on as it did so far.
    pub(crate) fn after_replaying(&self, progress: ReplayProgress) -> Duration {
        let ReplayProgress { bytes_read, bytes_total, .. } = progress;
        if bytes_read == 0 {
            return self.soon();
        }
        let elapsed = self.clock.monotonic().saturating_sub(self.begun).as_secs_f64();
        let left = bytes_total.saturating_sub(bytes_read);
        let seconds = elapsed * (left as f64 / bytes_read as f64);
        self.spread(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// Where nothing is known.
    pub(crate) fn soon(&self) -> Duration {
        Duration::from_secs(1 + self.randomness.next_u64() % UNKNOWN_SECONDS_MAX)
    }

    /// `time` in whole seconds, and up to a half more: who was refused at the same moment must not
    /// come back at the same moment.
    fn spread(&self, time: Duration) -> Duration {
        let begun = u64::from(time.subsec_nanos() > 0);
        let seconds = time.as_secs().saturating_add(begun).clamp(1, SECONDS_MAX_UNSPREAD);
        let chance = self.randomness.next_u64() % (seconds.div_ceil(2) + 1);
        Duration::from_secs(seconds + chance)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use types::effect::{ManualClock, SeededRandomness};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn times() -> (Arc<ManualClock>, RetryTimes) {
        let clock = Arc::new(ManualClock::default());
        let randomness = Arc::new(SeededRandomness::new(1));
        (Arc::clone(&clock), RetryTimes::new(clock, randomness))
    }

    /// The whole seconds that a hundred clients are told.
    fn told(ask: impl Fn() -> Duration) -> BTreeSet<u64> {
        let told = |_| {
            let time = ask();
            assert_eq!(time.subsec_nanos(), 0, "whole seconds");
            time.as_secs()
        };
        (0..100).map(told).collect()
    }

    fn check(told: &BTreeSet<u64>, from: u64, to: u64) {
        let expected: BTreeSet<u64> = (from..=to).collect();
        assert_eq!(*told, expected);
    }

    #[test]
    fn who_is_refused_comes_back_when_there_is_room_and_not_at_once() {
        let (clock, times) = times();
        check(&told(|| times.after_freeing(MIB)), 1, 5);
        for _ in 0..100 {
            clock.advance(Duration::from_secs(1));
            times.freed(10 * MIB);
        }
        check(&told(|| times.after_freeing(0)), 1, 2);
        check(&told(|| times.after_freeing(MIB)), 1, 2);
        check(&told(|| times.after_freeing(95 * MIB)), 10, 15);
        check(&told(|| times.after_freeing(u64::MAX)), 20, 30);
        clock.advance(Duration::from_secs(300));
        check(&told(|| times.after_freeing(MIB)), 20, 30);
    }

    #[test]
    fn a_replay_is_over_when_what_is_left_is_read() {
        let (clock, times) = times();
        let progress = |bytes_read| ReplayProgress {
            bytes_read,
            bytes_total: 100,
            ..ReplayProgress::default()
        };
        check(&told(|| times.after_replaying(progress(0))), 1, 5);
        clock.advance(Duration::from_secs(5));
        check(&told(|| times.after_replaying(progress(50))), 5, 8);
        check(&told(|| times.after_replaying(progress(100))), 1, 2);
        check(&told(|| times.after_replaying(progress(1))), 20, 30);
    }
}
