//! Whether the simulated process lives, and how it ends itself.

use std::panic::resume_unwind;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use wal::Fatal;
use wal::disk::{Hits, ModelDisk};

use crate::panics;
use crate::trace::Trace;
use crate::verdict::{Findings, Kind};
use crate::world::World;

/// The life of one process.
#[derive(Debug)]
pub(crate) struct Vitals {
    death: Mutex<Option<String>>,
    died: Notify,
    disk: ModelDisk,
    /// The disk's call with which it is killed.
    dies_at_call: Option<u64>,
    trace: Trace,
    findings: Findings,
}

impl Vitals {
    pub(crate) fn new(world: &World, dies_at_call: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            death: Mutex::new(None),
            died: Notify::new(),
            disk: world.disk.clone(),
            dies_at_call,
            trace: world.trace.clone(),
            findings: world.findings.clone(),
        })
    }

    /// True if the process may end itself, because a sync has failed, or has ended.
    pub(crate) fn may_die(&self) -> bool {
        let Hits { failed_syncs, full_syncs, .. } = self.disk.hits();
        failed_syncs + full_syncs > 0 || self.is_killed() || self.is_dead()
    }

    /// True if the disk has had the call with which the process is killed. Before that call nothing
    /// was done to it.
    pub(crate) fn is_killed(&self) -> bool {
        self.dies_at_call.is_some_and(|call| self.disk.calls() >= call)
    }

    /// The process is dead; the first reason stands.
    pub(crate) fn die(&self, reason: &str) {
        let mut death = self.death.lock();
        if death.is_none() {
            self.trace.event(format_args!("the process is dead: {reason}"));
            *death = Some(reason.to_owned());
            panics::ignore();
            self.died.notify_waiters();
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.death.lock().is_some()
    }

    /// Returns once the process is dead. One may wait.
    pub(crate) async fn dead(&self) {
        while !self.is_dead() {
            self.died.notified().await;
        }
    }
}

/// What a stack is unwound with when the process is dead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Died;

/// Leaves the stack of a dead process, without a word of the panic hook.
pub(crate) fn leave() -> ! {
    resume_unwind(Box::new(Died))
}

/// Ends the simulated process where a real one would exit.
#[derive(Debug)]
pub(crate) struct SimFatal(pub(crate) Arc<Vitals>);

impl Fatal for SimFatal {
    fn end(&self, error: &wal::Error) -> ! {
        let vitals = &self.0;
        if !vitals.may_die() {
            let told = format!("the process ended itself: {error}");
            vitals.findings.report(Kind::Failed, &told);
        } else if !vitals.is_killed() && !vitals.is_dead() {
            vitals.trace.count("fatal ends");
        }
        vitals.die(&error.to_string());
        leave()
    }
}
