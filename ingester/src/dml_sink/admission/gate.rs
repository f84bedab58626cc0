//! Hands out memory at the edge, first come, first served, and says to those who get none when to
//! come back.

#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify, watch};
use types::effect::{Clock, Randomness};
use types::seam::{DmlError, MemoryGate, QueryError};
use types::{MemoryBudget, MemoryOwner, Reservation};

use crate::buffer_tree::Serving;
use crate::retry_after::RetryAfter;
use crate::state::{IngestState, Phase};

/// Whether memory and hot partitions find no permit to be persisted.
pub(crate) trait Saturation: Debug + Send + Sync {
    /// While it says yes, new memory is refused early.
    fn is_saturated(&self) -> bool;

    /// What it says, to be waited on: the permit that ends it comes back after the memory.
    fn watch(&self) -> watch::Receiver<bool>;
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

/// Hands out memory at the edge.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Arc<IngestState>,
    budget: Arc<MemoryBudget>,
    saturation: Arc<dyn Saturation>,
    limits: AdmissionLimits,
    retry: Arc<RetryAfter>,
    released: Arc<Notify>,
    /// Held by the request that is next; the others wait for it in the order in which they came.
    turn: Mutex<()>,
    /// Bytes that somebody waits for now; the memory trigger makes room for them.
    wanted: AtomicU64,
    /// Somebody was refused since the memory trigger looked, and does not wait: what it wants is not
    /// known any more.
    refused: AtomicBool,
}

impl Gate {
    pub(crate) fn new(
        state: Arc<IngestState>,
        budget: Arc<MemoryBudget>,
        saturation: Arc<dyn Saturation>,
        limits: AdmissionLimits,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Self {
        let released = Arc::new(Notify::new());
        let retry = Arc::new(RetryAfter::new(clock, randomness));
        let (announce, hears) = (Arc::clone(&released), Arc::clone(&retry));
        budget.on_release(move |owner, bytes| {
            // All that is written comes to the buffer and leaves it when it is persisted. What
            // requests give back counts for nothing: many have only just taken it, to be refused.
            if owner == MemoryOwner::Buffer {
                hears.freed(bytes);
            }
            announce.notify_waiters();
        });
        budget.limit_writes_to(limits.open_bytes);
        let (turn, wanted, refused) = (Mutex::new(()), AtomicU64::new(0), AtomicBool::new(false));
        Self { state, budget, saturation, limits, retry, released, turn, wanted, refused }
    }

    pub(super) const fn state(&self) -> &Arc<IngestState> {
        &self.state
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

    fn is_open_for(&self, bytes: u64) -> bool {
        let after = self.budget.used_by_writes().checked_add(bytes);
        after.is_some_and(|after| after <= self.open_bytes())
    }

    fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        let open = self.is_open_for(bytes);
        open.then(|| self.budget.try_reserve(MemoryOwner::Request, bytes)).flatten()
    }

    /// Bytes that have to leave the buffer beside the `leaving` that are on their way out: so many
    /// that a quarter of what requests may take is free, or as many as somebody waits for.
    ///
    /// A request may be let in and then not find the room to grow, each time that it comes, however
    /// little there is. So if anybody was refused since the last look, it is half of the buffer, less
    /// what is on its way out: when it comes often enough, it has everything. What requests hold is
    /// in nobody's power.
    pub(crate) fn excess(&self, leaving: u64) -> u64 {
        let open = self.limits.open_bytes;
        let staying = self.budget.used_by_writes().saturating_sub(leaving);
        let buffered = self.budget.used_by(MemoryOwner::Buffer).saturating_sub(leaving);
        let wanted = self.wanted.load(Ordering::Relaxed);
        let over_high = staying.saturating_sub(open / 4 * 3);
        let refused = self.refused.swap(false, Ordering::Relaxed);
        let half = if refused { buffered.div_ceil(2) } else { 0 };
        let in_the_way = half.saturating_sub(leaving);
        let missing = staying.saturating_add(wanted).saturating_sub(open);
        over_high.max(missing).max(in_the_way)
    }

    /// First come, first served: a large request is not passed by small ones for which there is
    /// always room.
    async fn reserve_when_released(&self, bytes: u64) -> Reservation {
        let _wanted = Wanted::new(&self.wanted, bytes);
        let _turn = self.turn.lock().await;
        let mut saturation = self.saturation.watch();
        loop {
            // Created before the look, so that a release in between is not missed.
            let released = self.released.notified();
            if let Some(reservation) = self.try_reserve(bytes) {
                return reservation;
            }
            tokio::select! {
                biased;
                () = released => {}
                Ok(()) = saturation.changed() => {}
            }
        }
    }

    /// Memory for replayed rows: waits as long as it must, because persists free what it waits for.
    /// A batch that alone is larger than the limit is let in when nothing else is there, and so is
    /// the last one of a node that ends.
    pub(crate) async fn reserve_for_replay(&self, bytes: u64) -> Reservation {
        let _wanted = Wanted::new(&self.wanted, bytes);
        let mut saturation = self.saturation.watch();
        loop {
            let released = self.released.notified();
            if let Some(reservation) = self.try_reserve(bytes) {
                return reservation;
            }
            if self.budget.used_by_writes() == 0 || self.state.is_draining() {
                return self.budget.reserve_anyway(MemoryOwner::Buffer, bytes);
            }
            tokio::select! {
                biased;
                () = released => {}
                Ok(()) = saturation.changed() => {}
                () = self.state.drained() => {}
            }
        }
    }

    fn busy(&self, bytes: u64) -> DmlError {
        let reason = if self.saturation.is_saturated() {
            "the memory budget is used up while persisting is saturated"
        } else {
            "the memory budget is used up"
        };
        DmlError::Busy { reason: reason.to_owned(), retry_after: self.retry_after(bytes) }
    }

    /// The refusal of a write, with the time at which the node may take some.
    pub(super) fn takes_no_writes(&self, phase: Phase) -> DmlError {
        let reason = format!("this node takes no writes: {phase}");
        DmlError::Busy { reason, retry_after: self.retry.when_ready(phase) }
    }
}

impl Serving for Gate {
    fn check_serving(&self) -> Result<(), QueryError> {
        self.state.check_serving().map_err(|phase| QueryError::NotReady {
            reason: format!("this node answers no queries: {phase}"),
            retry_after: self.retry.when_ready(phase),
        })
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
        self.state.check_writing().map_err(|phase| self.takes_no_writes(phase))?;
        if bytes > self.open_bytes() {
            // It would hold up those behind it for what cannot come while persisting is saturated.
            return Err(self.busy(bytes));
        }
        tokio::time::timeout(self.limits.wait, self.reserve_when_released(bytes))
            .await
            .map_err(|_| self.busy(bytes))
    }

    fn capacity(&self) -> u64 {
        self.limits.open_bytes.min(self.budget.limit())
    }

    /// While persisting is saturated a body that began small grows no further than one that says
    /// how long it is. What is made of a body that is here whole is not asked for here: to refuse
    /// that would only have the same bytes sent again, and the budget bounds it anyway.
    fn try_grow(&self, held: &mut Reservation, more: u64) -> bool {
        self.is_open_for(more) && held.try_grow(more)
    }

    /// When there is room for it behind those that wait now.
    fn retry_after(&self, missing: u64) -> Duration {
        // Relaxed: a sign that is looked at now and then.
        self.refused.fetch_or(missing > 0, Ordering::Relaxed);
        let ahead = self.wanted.load(Ordering::Relaxed);
        let needed = self.budget.used_by_writes().saturating_add(ahead).saturating_add(missing);
        self.retry.after_freeing(needed.saturating_sub(self.open_bytes()))
    }
}
