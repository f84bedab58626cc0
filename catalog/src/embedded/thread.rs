//! Threads that the process cannot do without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use types::effect::{Progress, Thread, Threads, Worker};
use types::error::panic_text;
use wal::Fatal;

use crate::error::Error;

/// Starts a thread called `name`. If it panics the process ends, and the log is replayed at the
/// next start: a catalog without its threads would answer nobody and say nothing.
pub(super) fn start(
    threads: &dyn Threads,
    name: &'static str,
    fatal: &Arc<dyn Fatal>,
    worker: impl Worker + 'static,
) -> Result<Box<dyn Thread>, Error> {
    let indispensable = Indispensable { worker, fatal: Arc::clone(fatal) };
    let started = threads.start(name, Box::new(indispensable));
    started.map_err(|error| Error::Busy { reason: format!("no thread can be started: {error}") })
}

/// A worker whose panic ends the process.
struct Indispensable<W> {
    worker: W,
    fatal: Arc<dyn Fatal>,
}

impl<W: Worker> Worker for Indispensable<W> {
    fn step(&mut self) -> Progress {
        let worker = &mut self.worker;
        match catch_unwind(AssertUnwindSafe(|| worker.step())) {
            Ok(progress) => progress,
            Err(panic) => {
                let message = panic_text(panic.as_ref()).to_owned();
                self.fatal.end(&wal::Error::Panicked { message })
            }
        }
    }

    fn wait(&mut self, patience: Option<Duration>) {
        self.worker.wait(patience);
    }
}
