//! The signals that end the server.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;

/// SIGTERM and SIGINT: the first asks for a graceful end, the second ends at once.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes both signals over.
    pub(super) fn take_over() -> Result<Self, Error> {
        let take = |kind| signal(kind).map_err(|source| Error::Signals { source });
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
        })
    }

    /// Returns at the next signal, with its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
