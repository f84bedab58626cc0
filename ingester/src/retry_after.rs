//! When a client that is refused may come back: as soon as there may be room, and not with all the
//! others at once.
//!
//! What can be full has one [`RetryAfter`], which hears how much leaves it, in one unit: bytes of
//! memory, bytes of the log, partitions. Asked when an excess of the same unit will have left, it
//! says:
//!
//! ```text
//!   rate    = units a second, of which the last ten seconds count most      drain_rate.rs
//!   seconds = excess / rate, rounded up, at least 1 and at most 20
//!   answer  = seconds + 0 … seconds / 2, by chance: at most 30 seconds
//! ```
//!
//! A replay is told by the same formula: the rate is the bytes that it has read by the time that it
//! took, the excess what it has not read. Where nothing ever left, the answer is 1 … 5 seconds.

mod drain_rate;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use types::effect::{Clock, Randomness};

use self::drain_rate::DrainRate;
use crate::state::{Phase, ReplayProgress};

/// Nobody is sent away for longer, chance included: what is known now may be wrong by then.
const SECONDS_MAX: u64 = 30;
/// The longest time that chance is added to; it adds up to a half.
const SECONDS_MAX_UNSPREAD: u64 = SECONDS_MAX / 3 * 2;
/// Where nothing is known.
const UNKNOWN_SECONDS_MAX: u64 = 5;

/// Tells the clients for whom there is no room in one thing when to come back.
#[derive(Debug)]
pub(crate) struct RetryAfter {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    /// When the node began to replay.
    begun: Duration,
    rate: Mutex<DrainRate>,
    /// How much there was at the last refusal, where that is all that is known.
    held: Mutex<u64>,
}

impl RetryAfter {
    /// Knows nothing yet; if a node replays, it begins now.
    pub(crate) fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        let begun = clock.monotonic();
        Self { clock, randomness, begun, rate: Mutex::default(), held: Mutex::default() }
    }

    /// So much has just left.
    pub(crate) fn freed(&self, amount: u64) {
        let now = self.clock.monotonic();
        self.rate.lock().freed(amount, now);
    }

    /// When `excess` more will have left.
    pub(crate) fn after_freeing(&self, excess: u64) -> Duration {
        let now = self.clock.monotonic();
        let time = self.rate.lock().time_to_free(excess, now);
        time.map_or_else(|| self.soon(), |time| self.spread(time))
    }

    /// When `excess` of the `held` will have left, of what only says at each refusal how much it
    /// holds. While it is full little is added to it, so what it holds less than at the refusal
    /// before is what has left since.
    pub(crate) fn after_shrinking(&self, held: u64, excess: u64) -> Duration {
        let before = mem::replace(&mut *self.held.lock(), held);
        let lost = before.saturating_sub(held);
        if lost > 0 {
            self.freed(lost);
        }
        self.after_freeing(excess)
    }

    /// When a node in this phase may take writes and answer queries.
    pub(crate) fn when_ready(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Replaying(progress) => self.after_replaying(progress),
            Phase::Ready | Phase::Draining { .. } => self.soon(),
        }
    }

    /// Where nothing is known.
    pub(crate) fn soon(&self) -> Duration {
        Duration::from_secs(1 + self.randomness.next_u64() % UNKNOWN_SECONDS_MAX)
    }

    /// When the replay will be over, if it goes on as it did so far.
    fn after_replaying(&self, progress: ReplayProgress) -> Duration {
        let ReplayProgress { bytes_read, bytes_total, .. } = progress;
        if bytes_read == 0 {
            return self.soon();
        }
        let elapsed = self.clock.monotonic().saturating_sub(self.begun).as_secs_f64();
        let left = bytes_total.saturating_sub(bytes_read);
        let seconds = elapsed * (left as f64 / bytes_read as f64);
        self.spread(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
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

    fn retry() -> (Arc<ManualClock>, RetryAfter) {
        let clock = Arc::new(ManualClock::default());
        let randomness = Arc::new(SeededRandomness::new(1));
        (Arc::clone(&clock), RetryAfter::new(clock, randomness))
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
        let (clock, retry) = retry();
        check(&told(|| retry.after_freeing(MIB)), 1, 5);
        for _ in 0..100 {
            clock.advance(Duration::from_secs(1));
            retry.freed(10 * MIB);
        }
        check(&told(|| retry.after_freeing(0)), 1, 2);
        check(&told(|| retry.after_freeing(MIB)), 1, 2);
        check(&told(|| retry.after_freeing(95 * MIB)), 10, 15);
        check(&told(|| retry.after_freeing(u64::MAX)), 20, 30);
        clock.advance(Duration::from_secs(300));
        check(&told(|| retry.after_freeing(MIB)), 20, 30);
    }

    #[test]
    fn a_replay_is_over_when_what_is_left_is_read() {
        let (clock, retry) = retry();
        let at = |bytes_read| {
            let replay = ReplayProgress { bytes_read, bytes_total: 100, ..Default::default() };
            retry.when_ready(Phase::Replaying(replay))
        };
        check(&told(|| at(0)), 1, 5);
        clock.advance(Duration::from_secs(5));
        check(&told(|| at(50)), 5, 8);
        check(&told(|| at(100)), 1, 2);
        check(&told(|| at(1)), 20, 30);
    }
}
