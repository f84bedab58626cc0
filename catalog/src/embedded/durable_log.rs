//! The log as the worker sees it: a record goes in, and what became of it comes back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use types::effect::{Threads, receive};
use types::{BatchId, Epoch, LsnRange};
use wal::{Append, Body, CommitObserver, Group, LogHandle, Recovery, SealedSegment};

use crate::error::Error;
use crate::record::Record;

/// What became of a record.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is durable.
    Durable {
        /// One for each command.
        lsns: LsnRange,
        /// What it took on disk.
        bytes: u64,
    },
    /// Nothing of it was kept.
    Refused {
        /// What to tell those who sent its commands.
        reason: String,
    },
    /// The log's thread is gone; it may or may not have been kept.
    Lost,
}

/// The running log, with at most one record on its way.
#[derive(Debug)]
pub(super) struct DurableLog {
    handle: LogHandle<()>,
    config: wal::Config,
    outcomes: Receiver<Outcome>,
    threads: Arc<dyn Threads>,
}

impl DurableLog {
    /// Starts the recovered log under `epoch`.
    pub(super) fn start(
        recovery: Recovery,
        config: wal::Config,
        epoch: Epoch,
        threads: Arc<dyn Threads>,
    ) -> Result<Self, Error> {
        let (sender, outcomes) = mpsc::channel();
        let handle = recovery.start(epoch, Told(sender))?;
        Ok(Self { handle, config, outcomes, threads })
    }

    /// The log itself.
    pub(super) const fn handle(&self) -> &LogHandle<()> {
        &self.handle
    }

    /// Appends `record` as one frame, and waits until it is durable or refused.
    pub(super) fn append(&self, record: Record) -> Outcome {
        match self.queue(record) {
            Ok(()) => receive(self.threads.as_ref(), &self.outcomes).unwrap_or(Outcome::Lost),
            // The log ended between two records.
            Err(wal::Error::Closed | wal::Error::Ended) => Outcome::Lost,
            Err(error) => Outcome::Refused { reason: error.to_string() },
        }
    }

    fn queue(&self, record: Record) -> Result<(), wal::Error> {
        // A record is only appended if it has commands.
        let batches = NonZeroU32::new(record.commands()).unwrap_or(NonZeroU32::MIN);
        let body = Body::encode(record.into_body(), &self.config)?;
        let space = self.handle.reserve(body.frame_len())?;
        let append = Append { body, batches, batch_id: BatchId::default(), payload: (), space };
        self.handle.append(append).map_err(|(error, ())| error)
    }
}

/// Tells the worker, from the log's thread.
struct Told(Sender<Outcome>);

impl Told {
    fn tell(&self, outcome: Outcome) {
        // A worker that is gone waits for nothing.
        let _ = self.0.send(outcome);
    }
}

impl CommitObserver<()> for Told {
    fn committed(&mut self, group: Group<()>) {
        for frame in &group.frames {
            self.tell(Outcome::Durable { lsns: frame.lsns, bytes: group.bytes });
        }
    }

    fn refused(&mut self, _: (), error: &wal::Error) {
        self.tell(Outcome::Refused { reason: error.to_string() });
    }

    fn sealed(&mut self, _: &SealedSegment) {}
}
