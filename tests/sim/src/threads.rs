//! Threads as turns on one thread: the seed says whose turn it is.
//!
//! Workers make steps at two places: in a task of the runtime, round after round, and in
//! [`Threads::lend`], where somebody waits for one of them. A worker that is on the stack already
//! has its lock taken and is passed over.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use types::effect::{Panicked, Progress, Thread, Threads, Worker};
use wal::disk::ModelDisk;

use crate::chance::Chance;
use crate::clock::SimClock;
use crate::trace::Trace;
use crate::verdict::{Findings, Kind};
use crate::vitals::{Vitals, leave};

/// After so many rounds in which nobody could do anything, time passes for whoever waits.
const LENDS_BEFORE_TIME: u64 = 16;
/// After so many, somebody makes room on the disk, as somebody would.
const LENDS_BEFORE_ROOM: u64 = 1_000;
/// After so many, nobody ever will do anything.
const LENDS_MAX: u64 = 10_000;
/// What passes in each such round.
const LEND_TIME: Duration = Duration::from_millis(10);

/// The threads of one process.
#[derive(Clone, Debug)]
pub(crate) struct SimThreads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    slots: Mutex<Vec<Arc<Slot>>>,
    around: Around,
    /// Rounds in [`Threads::lend`] since the last in which anything was done.
    idle_lends: AtomicU64,
}

/// What threads see of the world around them.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) chance: Chance,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) disk: ModelDisk,
    /// Once in so many steps a worker stands still for a while, as on a slow disk.
    pub(crate) stalls_once_in: Option<u64>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) trace: Trace,
    pub(crate) findings: Findings,
}

/// One thread.
struct Slot {
    name: &'static str,
    /// Nothing once it has ended.
    worker: Mutex<Option<Box<dyn Worker>>>,
    ended: Mutex<Option<Result<(), Panicked>>>,
    stalled_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SimThreads {
    pub(crate) fn new(around: Around) -> Self {
        let (slots, idle_lends) = (Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Shared { slots, around, idle_lends }))
    }

    /// Gives turns until the process is dead.
    pub(crate) async fn run(self) {
        let shared = &self.0;
        loop {
            let worked = shared.round();
            if shared.is_over() {
                return;
            }
            let chance = &shared.around.chance;
            if worked {
                for _ in 0..=chance.below(3) {
                    tokio::task::yield_now().await;
                }
            } else {
                tokio::time::sleep(Duration::from_millis(chance.pick(&[1, 1, 2, 5, 20]))).await;
            }
        }
    }
}

impl Threads for SimThreads {
    fn start(&self, name: &'static str, worker: Box<dyn Worker>) -> io::Result<Box<dyn Thread>> {
        let slot = Arc::new(Slot {
            name,
            worker: Mutex::new(Some(worker)),
            ended: Mutex::new(None),
            stalled_until: Mutex::new(None),
        });
        self.0.slots.lock().push(Arc::clone(&slot));
        Ok(Box::new(SimThread { threads: self.clone(), slot }))
    }

    fn lend(&self) -> bool {
        self.0.lend();
        true
    }
}

impl Shared {
    fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().clone()
    }

    /// A step of each worker, in some order. True if any did something.
    fn round(&self) -> bool {
        let slots = self.slots();
        let mut worked = false;
        for at in self.around.chance.order(slots.len()) {
            if self.is_over() {
                break;
            }
            if !self.stalls(&slots[at]) {
                worked |= self.step(&slots[at]) == Some(Progress::Worked);
            }
        }
        worked
    }

    /// A step of whoever has something to do. Leaves the stack if the process is dead.
    fn lend(&self) {
        if std::thread::panicking() {
            return;
        }
        let slots = self.slots();
        let first = if slots.is_empty() { 0 } else { self.around.chance.index(slots.len()) };
        let mut turns = slots.iter().cycle().skip(first).take(slots.len());
        // A stalled worker is stepped too: no virtual time passes as long as somebody waits here.
        let worked = turns.any(|slot| self.is_over() || self.step(slot) == Some(Progress::Worked));
        if self.is_over() {
            leave();
        }
        if worked {
            self.idle_lends.store(0, Ordering::Relaxed);
        } else {
            self.nobody_worked(self.idle_lends.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn nobody_worked(&self, lends: u64) {
        let around = &self.around;
        if lends >= LENDS_BEFORE_TIME {
            around.clock.wait(LEND_TIME);
        }
        if lends == LENDS_BEFORE_ROOM {
            around.trace.event(format_args!("room is made on the disk for a thread that waits"));
            around.disk.set_capacity(None);
        }
        if lends >= LENDS_MAX {
            around.findings.report(Kind::Stuck, &"a thread waits for what nobody will do");
            around.vitals.die("it is stuck");
            leave();
        }
    }

    /// True if the process is dead, also by the disk's count of calls.
    fn is_over(&self) -> bool {
        let vitals = &self.around.vitals;
        if vitals.is_killed() {
            vitals.die("killed at a call of the disk");
        }
        vitals.is_dead()
    }

    /// One step, if the worker is not on the stack and has not ended.
    fn step(&self, slot: &Slot) -> Option<Progress> {
        let mut held = slot.worker.try_lock()?;
        let worker = held.as_mut()?;
        let progress = catch_unwind(AssertUnwindSafe(|| worker.step()));
        let ended = match progress {
            Ok(Progress::Ended) => Ok(()),
            Ok(progress) => return Some(progress),
            Err(_) => {
                self.around.vitals.die(slot.name);
                Err(Panicked)
            }
        };
        let worker = held.take();
        drop(held);
        // What a dead worker owns may find others dead too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(worker)));
        *slot.ended.lock() = Some(ended);
        self.slots.lock().retain(|other| !std::ptr::eq(Arc::as_ptr(other), slot));
        Some(Progress::Worked)
    }

    /// True if this worker stands still now.
    fn stalls(&self, slot: &Slot) -> bool {
        let now = Instant::now();
        let mut until = slot.stalled_until.lock();
        if until.is_some_and(|until| now < until) {
            return true;
        }
        *until = None;
        let Around { chance, trace, stalls_once_in, .. } = &self.around;
        if !stalls_once_in.is_some_and(|times| chance.one_in(times)) {
            return false;
        }
        let time =
            if chance.one_in(8) { chance.millis(1_000, 6_000) } else { chance.millis(5, 400) };
        trace.fault("slow disk", format_args!("{} stands still for {time:?}", slot.name));
        *until = Some(now + time);
        true
    }
}

/// A thread that was started.
#[derive(Debug)]
struct SimThread {
    threads: SimThreads,
    slot: Arc<Slot>,
}

impl Thread for SimThread {
    fn join(self: Box<Self>) -> Result<(), Panicked> {
        loop {
            if let Some(ended) = *self.slot.ended.lock() {
                return ended;
            }
            self.threads.0.lend();
        }
    }
}
