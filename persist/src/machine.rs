//! One job as a state machine, from its chunks to a committed file.
//!
//! ```text
//!        ┌─────────┐   ┌───────────┐   ┌────────────┐   ┌─────────┐
//!   ────▶│ Encode  │──▶│ Upload    │──▶│ Commit     │──▶│ Settled │
//!        └─────────┘   │ + verify  │   └────────────┘   └─────────┘
//!             ▲        └───────────┘         │
//!             │              │ failed        │ another sort key
//!             │        ┌───────────┐         │
//!             └────────│ Clear     │◀────────┘
//!                      └───────────┘
//! ```
//!
//! * A file that was not uploaded whole, or sorted under a key that is not the partition's, is
//!   never used: `Clear` removes it and the next attempt has a name of its own. So a file whose
//!   fsync failed is never believed, and no name ever has two contents.
//! * A store or catalog that is down is waited for, with jittered backoff, for ever.
//! * Failures of the job's own (a panic, a refusal) are counted; after a few the same machine runs
//!   once more for the other kind of file: the chunks as they are, set aside. If that fails too,
//!   the worker goes on with other jobs and comes back to this one.

mod clear;
mod commit;
mod encode;
mod retry;
mod upload;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use catalog::FileKind;
use futures::FutureExt;
use object_store::path::Path;
use types::{ErrorKind, MemoryOwner, Reservation, SortKey};

use crate::context::Context;
use crate::error::Error;
use crate::format::encoder::EncodedFile;
use crate::job::PersistJob;
use crate::outcome::Outcome;
pub(crate) use retry::Dependency;
use retry::Retry;

/// One job on its way.
#[derive(Debug)]
pub(crate) struct Machine {
    context: Arc<Context>,
    job: Arc<PersistJob>,
    retry: Retry,
    /// How often it was tried, whatever it was tried as.
    attempts: usize,
    /// What the job holds beside its chunks, which the buffer accounts for.
    memory: Reservation,
}

/// What is to be done next for a job.
#[derive(Debug)]
enum Stage {
    /// Sort and encode, under the partition's key as it is known.
    Encode { known: Option<SortKey> },
    /// Put the file into the store and look if it is there whole.
    Upload { file: EncodedFile, known: Option<SortKey> },
    /// Add the file to the catalog, on condition that the key is still the known one.
    Commit { file: EncodedFile, known: Option<SortKey> },
    /// Remove an object that no file will name, then encode again.
    Clear { path: Path, known: Option<SortKey> },
    /// Done.
    Settled(Outcome),
}

impl Machine {
    pub(crate) fn new(context: &Arc<Context>, job: Arc<PersistJob>) -> Self {
        Self {
            context: Arc::clone(context),
            job,
            retry: Retry::new(context),
            attempts: 0,
            memory: context.deps.memory.reserve_anyway(MemoryOwner::Persist, 0),
        }
    }

    /// Takes the job as far as it goes: to its end, or to nothing if it can be neither committed nor
    /// set aside now. It is then to [pause](Machine::pause) and to run again.
    ///
    /// # Errors
    ///
    /// Only of kind [`ErrorKind::Fenced`]: another process owns the log, or another log the prefix, or
    /// may own it.
    pub(crate) async fn run(&mut self) -> Option<Result<Outcome, Error>> {
        while self.attempts < self.context.config.attempts_before_quarantine.get() {
            let settled = self.attempt(FileKind::Parquet).await;
            if settled.is_some() {
                return settled;
            }
            self.pause().await;
        }
        // Keeps the chunks as they are. There is no third way to store them, so this is tried until
        // it succeeds or the process ends; until then they stay in the log and in memory.
        self.attempt(FileKind::Quarantine).await
    }

    /// Waits after a failure of the job's own, longer with each.
    pub(crate) async fn pause(&mut self) {
        self.retry.pause().await;
    }

    /// Tries once; nothing if the job failed for a reason of its own.
    async fn attempt(&mut self, kind: FileKind) -> Option<Result<Outcome, Error>> {
        self.attempts += 1;
        match self.persist_as(kind).await {
            Err(error) if error.kind() != ErrorKind::Fenced => {
                self.memory.shrink_to(0);
                self.note_failure(&error);
                None
            }
            settled => Some(settled),
        }
    }

    fn note_failure(&self, error: &Error) {
        self.context.metrics.job_failures.inc();
        let (table, key, lsns) = (&self.job.table.name, &self.job.key, self.job.lsns());
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(
            %table, %key, %lsns, attempt = self.attempts, %error, source,
            "a persist job failed for a reason of its own"
        );
    }

    /// Goes through the stages once. A panic anywhere on the way is a failure of the job.
    async fn persist_as(&mut self, kind: FileKind) -> Result<Outcome, Error> {
        let known = self.known_sort_key();
        let mut stage = Stage::Encode { known };
        loop {
            if let Some(fenced) = self.context.fenced() {
                return Err(fenced);
            }
            let step = AssertUnwindSafe(self.step(kind, stage)).catch_unwind().await;
            stage = step.unwrap_or_else(|panic| Err(Error::panicked(panic.as_ref())))?;
            if let Stage::Settled(outcome) = stage {
                return Ok(outcome);
            }
        }
    }

    async fn step(&mut self, kind: FileKind, stage: Stage) -> Result<Stage, Error> {
        match stage {
            Stage::Encode { known } => self.encode(kind, known).await,
            Stage::Upload { file, known } => self.upload(file, known).await,
            Stage::Commit { file, known } => self.commit(file, known).await,
            Stage::Clear { path, known } => Ok(self.clear(path, known).await),
            Stage::Settled(outcome) => Ok(Stage::Settled(outcome)),
        }
    }

    fn known_sort_key(&self) -> Option<SortKey> {
        let table = self.context.table_of(&self.job)?;
        let partition = table.partitions.get(&self.job.key)?;
        Some(partition.sort_key.clone())
    }
}
