//! The catalog of one process: the state machine behind one log of its own.
//!
//! ```text
//!   <dir>/log/<epoch>-<seq>.wal            every command since the older snapshot, and some before
//!   <dir>/snapshot-<version>.json          the two newest snapshots
//!
//!   apply ──▶ queue ──▶ worker ──▶ log's thread ──▶ worker: publish, answer
//!                          └─ now and then a root ──▶ archivist: write a snapshot, drop segments
//! ```
//!
//! **The version of the catalog is the LSN of its log**: each command that changes something takes
//! one, so that a gap in one is a gap in the other.

mod archivist;
mod batch;
mod durable_log;
mod opening;
mod replay;
mod thread;
mod worker;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use async_trait::async_trait;
use tokio::sync::oneshot;
use types::effect::{Threads, receive};

use crate::command::Command;
use crate::config::Config;
use crate::error::{Error, Limit};
use crate::published::{LocalCatalog, Published};
use crate::record;
use crate::write::{CatalogWrite, Committed};
use batch::Pending;
use worker::{Request, Worker};

/// The catalog in a directory of its own, behind a lock.
///
/// Dropped without [`close`](Self::close) it ends as in a crash, only more politely.
#[derive(Debug)]
pub struct EmbeddedCatalog {
    /// Unbounded: each caller waits for its one command, and callers are bounded where they come
    /// from, by the memory of requests and the permits of persist jobs.
    requests: Sender<Request>,
    published: Arc<Published>,
    command_bytes_max: usize,
    threads: Arc<dyn Threads>,
}

impl EmbeddedCatalog {
    /// Opens the catalog in `dir`, creating it if need be: the newest whole snapshot, then the
    /// commands of the log after it. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if bytes that were durable are not there as they were written; nothing is
    /// changed then. [`Error::Log`] if the directory is in use, or the disk fails.
    pub fn open(dir: impl AsRef<Path>, config: &Config, deps: wal::Deps) -> Result<Self, Error> {
        let log_config = config.log();
        let command_bytes_max =
            usize::try_from(log_config.frame_raw_len_max / 2).unwrap_or(usize::MAX);
        let opened = opening::open(dir.as_ref(), log_config, &deps)?;
        let published = Arc::new(Published::new(Arc::clone(&opened.root)));
        let (requests, queue) = mpsc::channel();
        let threads = Arc::clone(&deps.threads);
        Worker::start(opened, config, deps, (queue, Arc::clone(&published)))?;
        Ok(Self { requests, published, command_bytes_max, threads })
    }

    /// Applies what is queued, takes a snapshot, closes the log and gives the directory back.
    /// Blocks; later commands get [`Error::Closed`].
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if it was closed before; [`Error::Log`] if the log could not be closed.
    pub fn close(&self) -> Result<(), Error> {
        let (answer, answered) = mpsc::channel();
        self.requests.send(Request::Close(answer)).map_err(|_| Error::Closed)?;
        receive(self.threads.as_ref(), &answered).unwrap_or(Err(Error::Closed))
    }
}

impl LocalCatalog for EmbeddedCatalog {
    fn published(&self) -> &Published {
        &self.published
    }
}

#[async_trait]
impl CatalogWrite for EmbeddedCatalog {
    async fn apply(&self, command: Command) -> Result<Committed, Error> {
        // Encoded here, by whoever sends it: the worker only copies.
        let encoded = record::encode(&command)?;
        if encoded.len() > self.command_bytes_max {
            let (limit, max) = (Limit::CommandBytes, self.command_bytes_max);
            return Err(Error::Limit { limit, max, table: None });
        }
        let (answer, answered) = oneshot::channel();
        let pending = Pending { command, encoded, answer };
        self.requests.send(Request::Apply(Box::new(pending))).map_err(|_| Error::Closed)?;
        answered.await.unwrap_or(Err(Error::Unknown))
    }
}
