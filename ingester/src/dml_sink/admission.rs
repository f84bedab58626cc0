//! Lets writes in: only while this node takes them, and only with memory reserved.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinError;
use types::effect::{Clock, Randomness};
use types::seam::{DmlError, DmlSink, MemoryGate, QueryError};
use types::{MemoryBudget, MemoryOwner, Position, Reservation, Write};

use crate::buffer_tree::Serving;
use crate::retry_after::RetryAfter;
use crate::state::{IngestState, Phase};

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
    gate: Arc<Gate>,
}

impl<S> Admission<S> {
    pub(crate) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner: Arc::new(inner), gate }
    }
}

#[async_trait]
impl<S: DmlSink + 'static> DmlSink for Admission<S> {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        let begun = IngestState::begin_write(&self.gate.state);
        let under_way = begun.map_err(|phase| self.gate.takes_no_writes(phase))?;
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
    /// little there is. So if anybody was refused since the last look and nothing is on its way out,
    /// it is half of what stays: when it comes often enough, it has everything.
    pub(crate) fn excess(&self, leaving: u64) -> u64 {
        let open = self.limits.open_bytes;
        let staying = self.budget.used_by_writes().saturating_sub(leaving);
        let wanted = self.wanted.load(Ordering::Relaxed);
        let over_high = staying.saturating_sub(open / 4 * 3);
        let refused = self.refused.swap(false, Ordering::Relaxed);
        let in_the_way = if refused && leaving == 0 { staying.div_ceil(2) } else { 0 };
        let missing = staying.saturating_add(wanted).saturating_sub(open);
        over_high.max(missing).max(in_the_way)
    }

    /// First come, first served: a large request is not passed by small ones for which there is
    /// always room.
    async fn reserve_when_released(&self, bytes: u64) -> Reservation {
        let _wanted = Wanted::new(&self.wanted, bytes);
        let _turn = self.turn.lock().await;
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
                biased;
                () = released => {}
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
    fn takes_no_writes(&self, phase: Phase) -> DmlError {
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

#[cfg(test)]
mod tests {
    use types::BatchId;
    use types::effect::{ManualClock, SeededRandomness};

    use super::*;
    use crate::state::ReplayProgress;
    use crate::tests::fixture::database;

    #[derive(Debug, Default)]
    struct Saturated(AtomicBool);

    impl Saturation for Saturated {
        fn is_saturated(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// A gate, and what a test turns.
    struct World {
        gate: Gate,
        state: Arc<IngestState>,
        budget: Arc<MemoryBudget>,
        saturated: Arc<Saturated>,
        clock: Arc<ManualClock>,
    }

    fn world() -> World {
        let state = Arc::new(IngestState::new());
        let limits =
            AdmissionLimits { open_bytes: 80, saturated_bytes: 40, wait: Duration::from_secs(2) };
        let saturated = Arc::new(Saturated::default());
        let (budget, clock) = (MemoryBudget::new(100), Arc::new(ManualClock::default()));
        let gate = Gate::new(
            Arc::clone(&state),
            Arc::clone(&budget),
            Arc::clone(&saturated) as Arc<dyn Saturation>,
            limits,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SeededRandomness::new(1)),
        );
        World { gate, state, budget, saturated, clock }
    }

    fn gate(saturated: bool) -> Gate {
        let world = world();
        world.state.ready();
        world.saturated.0.store(saturated, Ordering::Relaxed);
        world.gate
    }

    fn seconds(refused: &DmlError) -> u64 {
        match refused {
            DmlError::Busy { retry_after, .. } => retry_after.as_secs(),
            other => panic!("busy, not {other}"),
        }
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

    #[tokio::test(start_paused = true)]
    async fn who_asks_first_is_served_first_however_much_it_is() {
        let gate = gate(false);
        let first = gate.reserve(50).await.expect("there is room");
        let mut large = Box::pin(gate.reserve(60));
        assert!(futures::poll!(&mut large).is_pending());
        let mut small = Box::pin(gate.reserve(10));
        assert!(futures::poll!(&mut small).is_pending(), "there is room, but not for the first");
        drop(first);
        // The small one looks first, and still is not first.
        assert!(futures::poll!(&mut small).is_pending());
        let large = large.await.expect("all is free");
        assert_eq!(small.await.expect("twenty are free").bytes(), 10);
        drop(large);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_does_not_hold_up_those_behind_it() {
        let gate = gate(false);
        let _held = gate.reserve(50).await.expect("there is room");
        let mut large = Box::pin(gate.reserve(60));
        assert!(futures::poll!(&mut large).is_pending());
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut small = Box::pin(gate.reserve(10));
        assert!(futures::poll!(&mut small).is_pending());
        assert!(large.await.is_err(), "two seconds are over");
        assert_eq!(small.await.expect("it is its turn").bytes(), 10);
        assert_eq!(gate.wanted.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_does_not_grow_into_what_is_refused_early() {
        let world = world();
        world.state.ready();
        let mut body = world.gate.reserve(10).await.expect("there is room");
        assert!(world.gate.try_grow(&mut body, 20));
        world.saturated.0.store(true, Ordering::Relaxed);
        assert!(!world.gate.try_grow(&mut body, 11));
        assert!(world.gate.try_grow(&mut body, 10));
        assert_eq!(body.bytes(), 40);
        assert!(body.could_grow(40), "it is refused now, not for ever");
        let begun = tokio::time::Instant::now();
        assert!(world.gate.reserve(41).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO, "it would hold up others for nothing");
        assert_eq!(world.gate.capacity(), 80);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_when_there_may_be_room() {
        let world = world();
        let replaying = world.gate.reserve(1).await.expect_err("it replays");
        assert!((1..=5).contains(&seconds(&replaying)), "{replaying:?}");
        world.clock.advance(Duration::from_secs(8));
        let replayed =
            ReplayProgress { bytes_read: 50, bytes_total: 100, ..ReplayProgress::default() };
        world.state.replayed(replayed);
        let replaying = world.gate.reserve(1).await.expect_err("it replays");
        assert!((8..=12).contains(&seconds(&replaying)), "{replaying:?}");
        let unread = world.gate.check_serving().expect_err("it replays");
        let QueryError::NotReady { retry_after, .. } = unread else {
            panic!("not ready, not {unread}");
        };
        assert!((8..=12).contains(&retry_after.as_secs()), "{retry_after:?}");
        world.state.ready();

        // A byte of the buffer each second.
        for _ in 0..100 {
            world.clock.advance(Duration::from_secs(1));
            drop(world.budget.try_reserve(MemoryOwner::Buffer, 1));
        }
        let _held = world.budget.try_reserve(MemoryOwner::Buffer, 80);
        let soon = world.gate.reserve(1).await.expect_err("all is used");
        assert!((1..=2).contains(&seconds(&soon)), "{soon:?}");
        let later = world.gate.reserve(10).await.expect_err("all is used");
        assert!((10..=15).contains(&seconds(&later)), "{later:?}");
        let mut ahead = Box::pin(world.gate.reserve(8));
        assert!(futures::poll!(&mut ahead).is_pending());
        let behind = world.gate.retry_after(2).as_secs();
        assert!((10..=15).contains(&behind), "{behind} s with eight bytes ahead");
        drop(ahead);
        world.state.drain();
        let draining = world.gate.reserve(1).await.expect_err("it ends");
        assert!((1..=5).contains(&seconds(&draining)), "{draining:?}");
    }

    /// A request that is let in and then refused.
    async fn refuse_growth(gate: &Gate) {
        let mut body = gate.reserve(10).await.expect("there is room for it");
        assert!(!gate.try_grow(&mut body, 30), "but not for what comes of it");
        drop(body);
        assert!(gate.retry_after(30) > Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_find_the_room_to_grow_finds_more_the_next_time() {
        let world = world();
        world.state.ready();
        let gate = &world.gate;
        let _buffered = world.budget.try_reserve(MemoryOwner::Buffer, 50);
        assert_eq!(gate.excess(0), 0, "a quarter is free");
        refuse_growth(gate).await;
        assert_eq!(gate.excess(0), 25);
        assert_eq!(gate.excess(0), 0, "nobody came since");
        refuse_growth(gate).await;
        assert_eq!(gate.excess(10), 0, "there will be more room without that");
    }

    /// Is never reached.
    #[derive(Debug)]
    struct Unreached;

    #[async_trait]
    impl DmlSink for Unreached {
        async fn apply(&self, _: Write) -> Result<Position, DmlError> {
            panic!("the node takes no writes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_comes_during_a_replay_is_told_when_that_will_be_over() {
        let world = world();
        world.clock.advance(Duration::from_secs(8));
        let progress =
            ReplayProgress { bytes_read: 50, bytes_total: 100, ..ReplayProgress::default() };
        world.state.replayed(progress);
        let write = Write {
            database: database(),
            batches: Vec::new(),
            schema_change: None,
            batch_id: BatchId::default(),
            memory: world.budget.reserve_anyway(MemoryOwner::Request, 1),
        };
        let admission = Admission::new(Unreached, Arc::new(world.gate));
        let refused = admission.apply(write).await.expect_err("it replays");
        assert!((8..=12).contains(&seconds(&refused)), "{refused:?}");
    }
}
