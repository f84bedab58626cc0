//! Who gets memory, who waits, and what those hear who get none.

use types::effect::{ManualClock, SeededRandomness};
use types::seam::DmlSink;
use types::{BatchId, Position, Write};

use super::*;
use crate::dml_sink::admission::Admission;
use crate::state::ReplayProgress;
use crate::tests::fixture::database;

#[derive(Debug, Default)]
struct Saturated(watch::Sender<bool>);

impl Saturation for Saturated {
    fn is_saturated(&self) -> bool {
        *self.0.borrow()
    }

    fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
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
    world.saturated.0.send_replace(saturated);
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

/// The permit that ended it came back after the last of the memory, and woke nobody.
#[tokio::test(start_paused = true)]
async fn who_waits_finds_the_room_that_the_end_of_saturation_makes() {
    let World { gate, state, saturated, .. } = world();
    state.ready();
    saturated.0.send_replace(true);
    let _held = gate.reserve(30).await.expect("there is room");
    let mut request = Box::pin(gate.reserve(20));
    let mut replayed = Box::pin(gate.reserve_for_replay(20));
    assert!(futures::poll!(&mut request).is_pending());
    assert!(futures::poll!(&mut replayed).is_pending());
    saturated.0.send_replace(false);
    let request = futures::poll!(&mut request);
    assert!(request.is_ready(), "fifty of eighty");
    assert!(futures::poll!(&mut replayed).is_ready(), "seventy of eighty");
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
    world.saturated.0.send_replace(true);
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
    let replayed = ReplayProgress { bytes_read: 50, bytes_total: 100, ..ReplayProgress::default() };
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
    assert_eq!(gate.excess(10), 10, "a little that is on its way out is not half");
    refuse_growth(gate).await;
    assert_eq!(gate.excess(20), 0, "there will be more room without that");
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
    let progress = ReplayProgress { bytes_read: 50, bytes_total: 100, ..ReplayProgress::default() };
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
