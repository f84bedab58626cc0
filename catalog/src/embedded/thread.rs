//! Threads that the process cannot do without.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use types::effect::{Progress, Thread, Threads, Worker};
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
                let message = message_of(panic.as_ref());
                self.fatal.end(&wal::Error::Panicked { message })
            }
        }
    }

    fn wait(&mut self, patience: Option<Duration>) {
        self.worker.wait(patience);
    }
}

/// The text of a panic.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}
