//! Lets writes in: only while this node takes them, and only with memory reserved.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinError;
use types::seam::{DmlError, DmlSink, MemoryGate};
use types::{MemoryBudget, MemoryOwner, Position, Reservation, Write};

use crate::state::{IngestState, RETRY_AFTER};

/// Whether memory and hot partitions find no permit to be persisted.
pub(crate) trait Saturation: Debug + Send + Sync {
    /// While it says yes, new memory is refused early.
    fn is_saturated(&self) -> bool;
}

/// How much of the budget requests and the buffer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmissionLimits {
    /// Bytes that requests and the buffer may hold together before requests wait: the rest is the
    /// floor of persist jobs and of queries.
    pub(crate) open_bytes: u64,
    /// The same while persisting is saturated.
    pub(crate) saturated_bytes: u64,
    /// How long the first step of a request waits.
    pub(crate) wait: Duration,
}

/// Decorates a sink: writes come in only while this node takes them, and those that came in go on to
/// their end, whether or not their client waits for it.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    inner: Arc<S>,
    state: Arc<IngestState>,
}

impl<S> Admission<S> {
    pub(crate) fn new(inner: S, state: Arc<IngestState>) -> Self {
        Self { inner: Arc::new(inner), state }
    }
}

#[async_trait]
impl<S: DmlSink + 'static> DmlSink for Admission<S> {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        let under_way = IngestState::begin_write(&self.state)?;
        let inner = Arc::clone(&self.inner);
        // A task of its own: a request that is dropped must not stop between two steps.
        let applied = tokio::spawn(async move {
            let outcome = inner.apply(write).await;
            drop(under_way);
            outcome
        });
        let ended = |ended: JoinError| DmlError::Unknown { reason: ended.to_string() };
        applied.await.map_err(ended)?
    }
}

/// Hands out memory at the edge.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Arc<IngestState>,
    budget: Arc<MemoryBudget>,
    saturation: Arc<dyn Saturation>,
    limits: AdmissionLimits,
    released: Arc<Notify>,
    /// Bytes that somebody waits for now; the memory trigger makes room for them.
    wanted: AtomicU64,
}

impl Gate {
    pub(crate) fn new(
        state: Arc<IngestState>,
        budget: Arc<MemoryBudget>,
        saturation: Arc<dyn Saturation>,
        limits: AdmissionLimits,
    ) -> Self {
        let released = Arc::new(Notify::new());
        let announce = Arc::clone(&released);
        budget.on_release(move || announce.notify_waiters());
        budget.limit_writes_to(limits.open_bytes);
        Self { state, budget, saturation, limits, released, wanted: AtomicU64::new(0) }
    }

    /// Bytes over which requests wait, now.
    fn open_bytes(&self) -> u64 {
        if self.saturation.is_saturated() {
            self.limits.saturated_bytes
        } else {
            self.limits.open_bytes
        }
    }

    /// True if there is hardly room for anything, now: what is there ends below the limit, by as
    /// much as the request that was refused.
    pub(crate) fn is_full(&self) -> bool {
        let open = self.open_bytes();
        self.budget.used_by_writes() >= open - open / 64
    }

    fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        let after = self.budget.used_by_writes().checked_add(bytes)?;
        if after > self.open_bytes() {
            return None;
        }
        self.budget.try_reserve(MemoryOwner::Request, bytes)
    }

    /// Bytes that have to leave the buffer beside the `leaving` that are on their way out: so many
    /// that a quarter of what requests may take is free, or as many as somebody waits for.
    pub(crate) fn excess(&self, leaving: u64) -> u64 {
        let open = self.limits.open_bytes;
        let staying = self.budget.used_by_writes().saturating_sub(leaving);
        let wanted = self.wanted.load(Ordering::Relaxed);
        let over_high = staying.saturating_sub(open / 4 * 3);
        over_high.max((staying + wanted).saturating_sub(open))
    }

    async fn reserve_when_released(&self, bytes: u64) -> Reservation {
        let _wanted = Wanted::new(&self.wanted, bytes);
        loop {
            // Created before the look, so that a release in between is not missed.
            let released = self.released.notified();
            if let Some(reservation) = self.try_reserve(bytes) {
                return reservation;
            }
            released.await;
        }
    }

    /// Memory for replayed rows: waits as long as it must, because persists free what it waits for.
    /// A batch that alone is larger than the limit is let in when nothing else is there, and so is
    /// the last one of a node that ends.
    pub(crate) async fn reserve_for_replay(&self, bytes: u64) -> Reservation {
        let _wanted = Wanted::new(&self.wanted, bytes);
        loop {
            let released = self.released.notified();
            if let Some(reservation) = self.try_reserve(bytes) {
                return reservation;
            }
            if self.budget.used_by_writes() == 0 || self.state.is_draining() {
                return self.budget.reserve_anyway(MemoryOwner::Buffer, bytes);
            }
            tokio::select! {
                () = released => {}
                () = self.state.drained() => {}
            }
        }
    }

    fn busy(&self) -> DmlError {
        let reason = if self.saturation.is_saturated() {
            "the memory budget is used up while persisting is saturated"
        } else {
            "the memory budget is used up"
        };
        DmlError::Busy { reason: reason.to_owned(), retry_after: RETRY_AFTER }
    }
}

/// Counts the bytes that somebody waits for, as long as the wait lasts.
struct Wanted<'a>(&'a AtomicU64, u64);

impl<'a> Wanted<'a> {
    fn new(wanted: &'a AtomicU64, bytes: u64) -> Self {
        // Relaxed: a quantity that is looked at now and then.
        wanted.fetch_add(bytes, Ordering::Relaxed);
        Self(wanted, bytes)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

#[async_trait]
impl MemoryGate for Gate {
    async fn reserve(&self, bytes: u64) -> Result<Reservation, DmlError> {
        self.state.check_writing()?;
        tokio::time::timeout(self.limits.wait, self.reserve_when_released(bytes))
            .await
            .map_err(|_| self.busy())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[derive(Debug, Default)]
    struct Saturated(AtomicBool);

    impl Saturation for Saturated {
        fn is_saturated(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn gate(saturated: bool) -> Gate {
        let state = Arc::new(IngestState::new());
        state.ready();
        let limits =
            AdmissionLimits { open_bytes: 80, saturated_bytes: 40, wait: Duration::from_secs(2) };
        let saturation = Arc::new(Saturated(AtomicBool::new(saturated)));
        Gate::new(state, MemoryBudget::new(100), saturation, limits)
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_released_memory_and_then_is_refused() {
        let gate = gate(false);
        let first = gate.reserve(80).await.expect("there is room");
        let refused = gate.reserve(1).await.expect_err("no room within two seconds");
        assert!(matches!(refused, DmlError::Busy { .. }));
        let mut waiting = Box::pin(gate.reserve(60));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(first);
        assert_eq!(waiting.await.expect("there is room again").bytes(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn new_memory_is_refused_early_while_persisting_is_saturated() {
        assert!(gate(false).reserve(60).await.is_ok());
        assert!(gate(true).reserve(60).await.is_err());
    }
}
