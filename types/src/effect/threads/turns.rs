//! Threads that make a step when somebody lets them: for tests, which thereby decide who goes on.

use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Panicked, Progress, Thread, Threads, Worker};

/// So many rounds in which nobody has anything to do are a wait without end.
const IDLE_ROUNDS_MAX: usize = 100;

/// Threads on the caller's own. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    started: Arc<Mutex<Vec<Started>>>,
    idle_rounds: Arc<Mutex<usize>>,
}

#[derive(Clone)]
struct Started {
    name: &'static str,
    /// Nothing once it has ended. Locked while it is on the stack.
    worker: Arc<Mutex<Option<Box<dyn Worker>>>>,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Started {
    /// True if it did something.
    fn step(&self) -> bool {
        let Some(mut worker) = self.worker.try_lock() else { return false };
        let Some(progress) = worker.as_mut().map(|worker| worker.step()) else { return false };
        if progress == Progress::Ended {
            *worker = None;
        }
        !matches!(progress, Progress::Idle(_))
    }
}

impl Turns {
    fn all(&self) -> Vec<Started> {
        self.started.lock().clone()
    }

    /// A step of each; true if one of them did something.
    pub fn round(&self) -> bool {
        // Each has its turn, also behind one that has worked.
        let worked: Vec<bool> = self.all().iter().map(Started::step).collect();
        worked.contains(&true)
    }

    /// A step of one thread; true if it did something.
    pub fn step(&self, name: &str) -> bool {
        self.all().iter().find(|thread| thread.name == name).is_some_and(Started::step)
    }

    /// Rounds until nobody has anything to do.
    pub fn settle(&self) {
        while self.round() {}
    }

    /// The threads that have not ended.
    pub fn names(&self) -> Vec<&'static str> {
        let runs = |thread: &Started| thread.worker.lock().is_some();
        self.all().iter().filter(|thread| runs(thread)).map(|thread| thread.name).collect()
    }
}

impl Threads for Turns {
    fn start(&self, name: &'static str, worker: Box<dyn Worker>) -> io::Result<Box<dyn Thread>> {
        let started = Started { name, worker: Arc::new(Mutex::new(Some(worker))) };
        self.started.lock().push(started.clone());
        Ok(Box::new(started))
    }

    /// # Panics
    ///
    /// If somebody waits for what nobody does.
    fn lend(&self) -> bool {
        let worked = self.round();
        let mut idle = self.idle_rounds.lock();
        *idle = if worked { 0 } else { *idle + 1 };
        assert!(*idle < IDLE_ROUNDS_MAX, "somebody waits for what nobody does");
        true
    }
}

impl Thread for Started {
    /// # Panics
    ///
    /// If it has not ended: nobody would end it while the caller waits.
    fn join(self: Box<Self>) -> Result<(), Panicked> {
        assert!(self.worker.lock().is_none(), "nobody would end {} meanwhile", self.name);
        Ok(())
    }
}
