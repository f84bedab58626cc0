//! Threads that the process cannot do without.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use wal::Fatal;

use crate::error::Error;

/// Starts a thread called `name`. If it panics the process ends, and the log is replayed at the
/// next start: a catalog without its threads would answer nobody and say nothing.
pub(super) fn start(
    name: &str,
    fatal: &Arc<dyn Fatal>,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let fatal = Arc::clone(fatal);
    let run = move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            fatal.end(&wal::Error::Panicked { message: message_of(panic.as_ref()) });
        }
    };
    let started = Builder::new().name(name.to_owned()).spawn(run);
    started.map_err(|error| Error::Busy { reason: format!("no thread can be started: {error}") })
}

/// The text of a panic.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}
