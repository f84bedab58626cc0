//! How long to wait before something that failed is tried again.

use std::sync::Arc;
use std::time::Duration;

use types::effect::Randomness;

use crate::config::Config;

/// Full jitter: a wait anywhere between nothing and a bound that doubles with each failure up to a
/// cap, so that many that failed together do not come back together (Brooker, "Exponential Backoff
/// And Jitter", 2015).
#[derive(Debug)]
pub(crate) struct Backoff {
    randomness: Arc<dyn Randomness>,
    bound: Duration,
    bound_max: Duration,
}

impl Backoff {
    pub(crate) fn new(config: &Config, randomness: &Arc<dyn Randomness>) -> Self {
        Self {
            randomness: Arc::clone(randomness),
            bound: config.retry_backoff_min.min(config.retry_backoff_max),
            bound_max: config.retry_backoff_max,
        }
    }

    /// The next wait.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let bound_ns = u64::try_from(self.bound.as_nanos()).unwrap_or(u64::MAX);
        self.bound = self.bound.saturating_mul(2).min(self.bound_max);
        // The high half of the product scales a uniform number to 0..=bound.
        let scaled = u128::from(self.randomness.next_u64()) * (u128::from(bound_ns) + 1);
        Duration::from_nanos(u64::try_from(scaled >> 64).unwrap_or(bound_ns))
    }

    /// Waits.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next_wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use types::effect::SeededRandomness;

    use super::*;

    #[derive(Debug)]
    struct Always(u64);

    impl Randomness for Always {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    fn waits(randomness: impl Randomness + 'static, count: usize) -> Vec<Duration> {
        let randomness: Arc<dyn Randomness> = Arc::new(randomness);
        let mut backoff = Backoff::new(&Config::for_cores(NonZeroUsize::MIN), &randomness);
        (0..count).map(|_| backoff.next_wait()).collect()
    }

    #[test]
    fn z19_the_bound_doubles_up_to_its_cap() {
        let longest = waits(Always(u64::MAX), 10);
        let millis: Vec<u128> = longest.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert!(waits(Always(0), 10).iter().all(Duration::is_zero));
    }

    #[test]
    fn two_that_failed_together_come_back_apart() {
        let of_seed = |seed| waits(SeededRandomness::new(seed), 8);
        assert_ne!(of_seed(1), of_seed(2));
        assert_eq!(of_seed(3), of_seed(3), "a seed replays a run");
    }
}
