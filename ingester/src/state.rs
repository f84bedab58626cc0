//! What this node is doing, and so whether it takes writes and answers queries.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// How far the replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Bytes of the log whose rows are in the buffer or in files.
    pub bytes_read: u64,
    /// Bytes that there are to read.
    pub bytes_total: u64,
    /// Batches in these bytes.
    pub batches: u64,
    /// The same, in each second since the replay began.
    pub batches_per_second: u64,
}

impl fmt::Display for ReplayProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes_read, bytes_total, batches, batches_per_second } = self;
        write!(f, "{bytes_read} of {bytes_total} bytes, {batches} batches, ")?;
        write!(f, "{batches_per_second} a second")
    }
}

/// The phases of a node's life, in their only order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Acknowledged rows are still in the log only: no writes, no queries.
    Replaying(ReplayProgress),
    /// Takes writes and answers queries.
    Ready,
    /// Ends: no new writes.
    Draining {
        /// True if the replay was over, so that queries are answered to the end.
        complete: bool,
    },
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replaying(progress) => write!(f, "replaying the log, {progress}"),
            Self::Ready => f.write_str("ready"),
            Self::Draining { .. } => f.write_str("draining"),
        }
    }
}

/// The node's phase, shared by all who ask.
#[derive(Debug)]
pub(crate) struct IngestState {
    phase: watch::Sender<Phase>,
    /// Writes between their admission and their end, which a shutdown waits for.
    under_way: Mutex<usize>,
    none_under_way: tokio::sync::Notify,
}

impl IngestState {
    pub(crate) fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Replaying(ReplayProgress::default())),
            under_way: Mutex::new(0),
            none_under_way: tokio::sync::Notify::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Reports progress; does nothing once the replay is over.
    pub(crate) fn replayed(&self, progress: ReplayProgress) {
        self.phase.send_if_modified(|phase| {
            let replaying = matches!(phase, Phase::Replaying(_));
            if replaying {
                *phase = Phase::Replaying(progress);
            }
            replaying
        });
    }

    /// The replay is over, unless the node ends already.
    pub(crate) fn ready(&self) {
        self.phase.send_if_modified(|phase| {
            let replaying = matches!(phase, Phase::Replaying(_));
            if replaying {
                *phase = Phase::Ready;
            }
            replaying
        });
    }

    /// The node ends.
    pub(crate) fn drain(&self) {
        self.phase.send_modify(|phase| {
            let complete = matches!(phase, Phase::Ready | Phase::Draining { complete: true });
            *phase = Phase::Draining { complete };
        });
    }

    pub(crate) fn is_draining(&self) -> bool {
        matches!(self.phase(), Phase::Draining { .. })
    }

    /// Returns once the node ends.
    pub(crate) async fn drained(&self) {
        let draining = |phase: &Phase| matches!(phase, Phase::Draining { .. });
        // The sender lives in `self`, so the wait can only end by success.
        let _ = self.phase.subscribe().wait_for(draining).await;
    }

    /// Lets a write in, or says what is in its way. The guard is held until the write has ended.
    pub(crate) fn begin_write(state: &Arc<Self>) -> Result<WriteUnderWay, Phase> {
        // Counted first: a shutdown that does not see this write is one that this write sees.
        *state.under_way.lock() += 1;
        let guard = WriteUnderWay(Arc::clone(state));
        state.check_writing().map(|()| guard)
    }

    /// Whether writes are taken, or the phase that is in their way.
    pub(crate) fn check_writing(&self) -> Result<(), Phase> {
        match self.phase() {
            Phase::Ready => Ok(()),
            other => Err(other),
        }
    }

    /// Whether queries are answered, or the phase that is in their way.
    pub(crate) fn check_serving(&self) -> Result<(), Phase> {
        match self.phase() {
            Phase::Ready | Phase::Draining { complete: true } => Ok(()),
            other => Err(other),
        }
    }

    /// Returns once no write is under way.
    pub(crate) async fn writes_ended(&self) {
        loop {
            let notified = self.none_under_way.notified();
            if *self.under_way.lock() == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// A write that was let in and has not ended.
#[derive(Debug)]
pub(crate) struct WriteUnderWay(Arc<IngestState>);

impl Drop for WriteUnderWay {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock();
        *under_way -= 1;
        if *under_way == 0 {
            self.0.none_under_way.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shutdown_waits_for_the_writes_that_were_let_in() {
        let state = Arc::new(IngestState::new());
        let begin = || IngestState::begin_write(&state);
        assert!(begin().is_err(), "replaying");
        state.ready();
        let write = begin().expect("ready");
        state.drain();
        assert!(begin().is_err(), "draining");
        assert!(state.check_serving().is_ok(), "queries are answered to the end");
        let mut ended = Box::pin(state.writes_ended());
        assert!(futures::poll!(&mut ended).is_pending());
        drop(write);
        ended.await;
        state.ready();
        let draining = Phase::Draining { complete: true };
        assert_eq!(state.phase(), draining, "a late replay does not reopen a node");
    }

    #[test]
    fn a_node_that_ends_before_all_rows_are_there_answers_no_queries() {
        let state = IngestState::new();
        state.drain();
        state.drain();
        assert!(state.is_draining() && state.check_serving().is_err());
    }
}
