//! How fast something empties, as of the last seconds.

use std::time::Duration;

/// What left so long ago counts a third of what leaves now. Files are written every few seconds
/// under load, and each gives back all that it holds at once.
const MEMORY: Duration = Duration::from_secs(10);

/// Units a second, each unit with a weight that falls with its age: an exponentially weighted rate,
/// which needs no list of what left when. All times are those of one monotonic clock.
///
/// ```text
///   rate = sum of amount · e^(-age / MEMORY)  /  MEMORY · (1 - e^(-history / MEMORY))
/// ```
#[derive(Debug, Default)]
pub(super) struct DrainRate {
    /// Nothing until something left.
    sum: Option<WeightedSum>,
}

/// What left, with the weights that it has at a moment.
#[derive(Clone, Copy, Debug)]
struct WeightedSum {
    since: Duration,
    at: Duration,
    amount: f64,
    /// When somebody asked for the first time since.
    asked: Option<Duration>,
}

impl WeightedSum {
    const fn new(now: Duration) -> Self {
        Self { since: now, at: now, amount: 0.0, asked: None }
    }

    fn aged(self, now: Duration) -> Self {
        let age = now.saturating_sub(self.at).as_secs_f64() / MEMORY.as_secs_f64();
        let (at, amount) = (now.max(self.at), self.amount * (-age).exp());
        Self { since: self.since, at, amount, asked: None }
    }

    fn per_second(self) -> f64 {
        // Of a shorter history than is remembered only the weights that it can have are counted,
        // and never less than a second of it: one unit makes no rate.
        let history = self.at.saturating_sub(self.since).as_secs_f64().max(1.0);
        let weights = MEMORY.as_secs_f64() * -(-history / MEMORY.as_secs_f64()).exp_m1();
        self.amount / weights
    }
}

impl DrainRate {
    /// So much has just left.
    pub(super) fn freed(&mut self, amount: u64, now: Duration) {
        let before = self.sum.unwrap_or(WeightedSum::new(now)).aged(now);
        self.sum = Some(WeightedSum { amount: before.amount + amount as f64, ..before });
    }

    /// How long it takes until `amount` more has left; nothing if none ever did.
    ///
    /// Time in which nobody asked does not count: where there is room nothing need leave, and a node
    /// that was idle is not slow.
    pub(super) fn time_to_free(&mut self, amount: u64, now: Duration) -> Option<Duration> {
        let sum = self.sum.as_mut()?;
        let idle = sum.asked.get_or_insert(now).saturating_sub(sum.at);
        let rate = sum.aged(now.saturating_sub(idle)).per_second();
        let seconds = amount as f64 / rate;
        // Also where nothing left for so long that the rate is zero, or no number.
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A rate, and the time.
    #[derive(Default)]
    struct World {
        rate: DrainRate,
        now: Duration,
    }

    impl World {
        fn wait(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        /// Frees `amount` each second, so many times.
        fn drain(&mut self, amount: u64, times: u32) {
            for _ in 0..times {
                self.wait(1);
                self.rate.freed(amount, self.now);
            }
        }

        fn seconds(&mut self, amount: u64) -> f64 {
            let time = self.rate.time_to_free(amount, self.now);
            time.expect("there is a rate").as_secs_f64()
        }
    }

    #[test]
    fn a_steady_drain_is_told_as_it_is() {
        let mut world = World::default();
        assert_eq!(world.rate.time_to_free(1, world.now), None, "nothing is known yet");
        world.drain(10 * MIB, 5);
        let early = world.seconds(100 * MIB);
        assert!((5.0..15.0).contains(&early), "{early} s after a short history");
        world.drain(10 * MIB, 60);
        let late = world.seconds(100 * MIB);
        assert!((9.0..11.0).contains(&late), "{late} s");
    }

    #[test]
    fn the_last_seconds_count_most() {
        let mut world = World::default();
        world.drain(MIB, 60);
        world.drain(20 * MIB, 30);
        let faster = world.seconds(100 * MIB);
        assert!((4.5..6.0).contains(&faster), "{faster} s");
        world.wait(60);
        assert!(world.seconds(100 * MIB) > 300.0, "nothing left for a minute");
        world.wait(1_000_000);
        assert_eq!(world.rate.time_to_free(1, world.now), Some(Duration::MAX));
    }

    #[test]
    fn a_node_that_was_idle_is_not_slow() {
        let mut world = World::default();
        world.drain(10 * MIB, 60);
        world.wait(600);
        let burst = world.seconds(100 * MIB);
        assert!((9.0..11.0).contains(&burst), "{burst} s when room is wanted again");
        world.wait(60);
        assert!(world.seconds(100 * MIB) > 300.0, "it was wanted for a minute, and none came");
        world.drain(10 * MIB, 30);
        let again = world.seconds(100 * MIB);
        assert!((9.0..12.0).contains(&again), "{again} s");
    }
}
