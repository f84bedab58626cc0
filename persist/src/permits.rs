//! One semaphore bounds all outstanding jobs; housekeeping passes a second, smaller one first.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::Config;
use crate::demand::Demand;
use crate::saturation::Saturation;

/// The permits of all outstanding jobs, whatever queue they are in.
///
/// ```text
///   rotation, age ──▶ [ depth ÷ 2 ] ──┐
///                                     ├──▶ [ depth ] ──▶ queues
///   all others ───────────────────────┘
/// ```
///
/// Both semaphores are fair. Housekeeping holds a permit of the smaller one while it waits for the
/// larger, so at most half of the depth is ever held or waited for by it.
#[derive(Debug)]
pub(crate) struct Permits {
    all: Arc<Semaphore>,
    housekeeping: Arc<Semaphore>,
    saturation: Arc<Saturation>,
    depth: usize,
}

/// The handle was shut down.
#[derive(Debug)]
pub(crate) struct Closed;

impl Permits {
    pub(crate) fn new(config: &Config) -> Self {
        let depth = config.queue_depth.get();
        let all = Arc::new(Semaphore::new(depth));
        Self {
            saturation: Saturation::new(Arc::clone(&all), depth),
            all,
            housekeeping: Arc::new(Semaphore::new(config.housekeeping_depth())),
            depth,
        }
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self, demand: Demand) -> Result<Permit, Closed> {
        if let Some(permit) = self.try_take(demand) {
            return Ok(permit);
        }
        let _waiting = demand.saturates().then(|| self.saturation.enter());
        let housekeeping = if demand.is_housekeeping() {
            let smaller = Arc::clone(&self.housekeeping).acquire_owned().await;
            Some(smaller.map_err(|_| Closed)?)
        } else {
            None
        };
        let all = Arc::clone(&self.all).acquire_owned().await;
        Ok(self.permit(all.map_err(|_| Closed)?, housekeeping))
    }

    /// Takes a permit if there is one; where a job that frees memory finds none, that is
    /// saturation.
    pub(crate) fn try_acquire(&self, demand: Demand) -> Option<Permit> {
        let permit = self.try_take(demand);
        if permit.is_none() && demand.saturates() {
            drop(self.saturation.enter());
        }
        permit
    }

    fn try_take(&self, demand: Demand) -> Option<Permit> {
        let housekeeping = if demand.is_housekeeping() {
            Some(Arc::clone(&self.housekeeping).try_acquire_owned().ok()?)
        } else {
            None
        };
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(self.permit(all, housekeeping))
    }

    fn permit(
        &self,
        all: OwnedSemaphorePermit,
        housekeeping: Option<OwnedSemaphorePermit>,
    ) -> Permit {
        if housekeeping.is_some() {
            self.saturation.housekeeping_began();
        }
        Permit { held: Some((all, housekeeping)), saturation: Arc::clone(&self.saturation) }
    }

    /// Has all who wait, now or later, find out that nothing more is taken.
    pub(crate) fn close(&self) {
        self.all.close();
        self.housekeeping.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.all.is_closed()
    }

    /// Jobs that hold a permit.
    pub(crate) fn outstanding(&self) -> usize {
        self.depth - self.all.available_permits()
    }

    pub(crate) fn is_saturated(&self) -> bool {
        self.saturation.is_saturated()
    }

    pub(crate) fn watch_saturation(&self) -> watch::Receiver<bool> {
        self.saturation.watch()
    }
}

/// The right of one job to be outstanding; given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    held: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
    saturation: Arc<Saturation>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let held = self.held.take();
        if let Some((_, Some(_))) = &held {
            self.saturation.housekeeping_ends();
        }
        drop(held);
        self.saturation.permit_returned();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use futures::FutureExt;

    use super::*;

    fn permits(depth: usize) -> Permits {
        let mut config = Config::for_cores(NonZeroUsize::MIN);
        config.queue_depth = NonZeroUsize::new(depth).expect("not zero");
        Permits::new(&config)
    }

    fn take_all(permits: &Permits, demand: Demand) -> Vec<Permit> {
        std::iter::from_fn(|| permits.try_acquire(demand)).collect()
    }

    #[test]
    fn housekeeping_has_at_most_half_and_never_saturates() {
        let permits = permits(8);
        for demand in [Demand::Rotation, Demand::Age] {
            let held = take_all(&permits, demand);
            assert_eq!((held.len(), permits.outstanding()), (4, 4), "{demand:?}");
            assert!(!permits.is_saturated(), "{demand:?}");
        }
        let housekeeping = take_all(&permits, Demand::Rotation);
        let rest = take_all(&permits, Demand::HotPartition);
        assert_eq!((housekeeping.len(), rest.len()), (4, 4));
        assert!(permits.is_saturated());
    }

    #[test]
    fn only_what_frees_memory_saturates() {
        for demand in Demand::ALL {
            let permits = permits(2);
            let _held = take_all(&permits, Demand::Request);
            assert!(!permits.is_saturated());
            assert!(permits.try_acquire(demand).is_none());
            assert_eq!(permits.is_saturated(), demand.saturates(), "{demand:?}");
        }
    }

    #[test]
    fn waiting_housekeeping_keeps_nobody_from_leaving_saturation() {
        let permits = permits(4);
        let mut held = take_all(&permits, Demand::MemoryPressure);
        let mut rotation = Box::pin(permits.acquire(Demand::Rotation));
        let mut hot = Box::pin(permits.acquire(Demand::HotPartition));
        assert!(rotation.as_mut().now_or_never().is_none());
        assert!(hot.as_mut().now_or_never().is_none());
        assert!(permits.is_saturated());
        held.truncate(2);
        let rotation = rotation.now_or_never().expect("it came first");
        let hot = hot.now_or_never().expect("two permits came back");
        assert!(permits.is_saturated(), "nothing is free");
        drop((rotation, hot));
        assert!(!permits.is_saturated());
        assert_eq!(permits.outstanding(), 2);
    }

    #[test]
    fn what_housekeeping_holds_keeps_nobody_saturated() {
        let permits = permits(8);
        let housekeeping = take_all(&permits, Demand::Age);
        let mut hot = take_all(&permits, Demand::HotPartition);
        assert_eq!((housekeeping.len(), hot.len()), (4, 4));
        assert!(permits.is_saturated(), "nothing is free");
        hot.truncate(3);
        assert!(!permits.is_saturated(), "five of eight are free or housekeeping's");
        drop(housekeeping);
        assert_eq!(permits.outstanding(), 3);
        let more = take_all(&permits, Demand::MemoryPressure);
        assert_eq!(more.len(), 5);
        assert!(permits.is_saturated());
        hot.clear();
        assert!(permits.is_saturated(), "housekeeping has given back all it had");
    }

    #[test]
    fn who_gives_up_waiting_does_not_saturate_for_ever() {
        let permits = permits(2);
        let held = take_all(&permits, Demand::Request);
        let mut hot = Box::pin(permits.acquire(Demand::HotPartition));
        assert!(hot.as_mut().now_or_never().is_none());
        drop(hot);
        assert!(permits.is_saturated());
        drop(held);
        assert!(!permits.is_saturated());
    }

    #[test]
    fn closing_releases_those_who_wait() {
        let permits = permits(1);
        let _held = take_all(&permits, Demand::Request);
        let mut waiting = Box::pin(permits.acquire(Demand::Shutdown));
        assert!(waiting.as_mut().now_or_never().is_none());
        permits.close();
        assert!(matches!(waiting.now_or_never(), Some(Err(Closed))));
    }
}
