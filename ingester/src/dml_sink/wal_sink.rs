//! Makes writes durable: the innermost sink. What follows runs after the fsync.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;
use types::effect::{Lost, Pool, offload};
use types::seam::{DmlError, DmlSink};
use types::{Epoch, LogId, Position, SchemaChange, Write};

use crate::wal_appender::{PendingWrite, WalAppender};

/// Batches of more rows than this are encoded off the request threads: some 10 ns a value.
const ROWS_TO_ENCODE_ASIDE: usize = 20_000;

/// Commits what a write adds to the catalog.
#[async_trait]
pub(crate) trait SchemaCommit: std::fmt::Debug + Send + Sync {
    /// Returns once the columns are durable in the catalog.
    async fn commit(&self, change: SchemaChange) -> Result<(), DmlError>;
}

/// Appends to a log and waits until the write is durable and visible.
///
/// The order leaves no column behind for a write that is refused: encode, reserve room in the log,
/// commit new columns, append.
#[derive(Debug)]
pub(crate) struct WalSink<A> {
    appender: Arc<A>,
    schema: Arc<dyn SchemaCommit>,
    pool: Arc<dyn Pool>,
    log: LogId,
    epoch: Epoch,
}

impl<A: WalAppender + 'static> WalSink<A> {
    pub(crate) fn new(
        appender: Arc<A>,
        schema: Arc<dyn SchemaCommit>,
        pool: Arc<dyn Pool>,
        log: LogId,
        epoch: Epoch,
    ) -> Self {
        Self { appender, schema, pool, log, epoch }
    }

    async fn prepare(&self, write: Arc<Write>) -> Result<A::Prepared, DmlError> {
        let rows: usize = write.batches.iter().map(|batch| batch.batch.rows()).sum();
        if rows <= ROWS_TO_ENCODE_ASIDE {
            return self.appender.prepare(&write.database, &write.batches);
        }
        let appender = Arc::clone(&self.appender);
        let encode = move || appender.prepare(&write.database, &write.batches);
        let lost = |Lost| DmlError::Internal { reason: "encode a write: it panicked".to_owned() };
        offload(&*self.pool, encode).await.map_err(lost)?
    }
}

#[async_trait]
impl<A: WalAppender + 'static> DmlSink for WalSink<A> {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        let write = Arc::new(write);
        let prepared = self.prepare(Arc::clone(&write)).await?;
        let write = Arc::into_inner(write).ok_or_else(|| DmlError::Internal {
            reason: "a write is still being encoded".to_owned(),
        })?;
        if let Some(change) = write.schema_change {
            self.schema.commit(change).await?;
        }
        let (done, answer) = oneshot::channel();
        let pending = PendingWrite {
            database: write.database,
            batches: write.batches,
            memory: write.memory,
            done,
        };
        self.appender.append(prepared, write.batch_id, pending)?;
        let ended = |_| DmlError::Unknown { reason: "the log ended before it answered".to_owned() };
        let lsn = answer.await.map_err(ended)??;
        Ok(Position { log: self.log, epoch: self.epoch, lsn })
    }
}
