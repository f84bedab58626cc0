//! The log as the write path sees it, so that another log or another codec can be put in.

use std::fmt::Debug;
use std::num::NonZeroU32;

use tokio::sync::oneshot;
use types::seam::DmlError;
use types::{BatchId, DatabaseRef, Lsn, PartitionBatch, Reservation};

use std::sync::Arc;

/// A write on its way to the disk, with all that its publication needs.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    /// The database.
    pub(crate) database: Arc<DatabaseRef>,
    /// One batch a partition, in the order of their LSNs.
    pub(crate) batches: Vec<PartitionBatch>,
    /// The memory that the batches occupy.
    pub(crate) memory: Reservation,
    /// Gets the last LSN once the write is durable and visible.
    pub(crate) done: oneshot::Sender<Result<Lsn, DmlError>>,
}

impl PendingWrite {
    /// How many batches, and so LSNs.
    pub(crate) fn batch_count(&self) -> NonZeroU32 {
        let count = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
    }
}

/// Appends writes to a log.
pub(crate) trait WalAppender: Debug + Send + Sync {
    /// A write in the log's form, with room for it in the log.
    type Prepared: Send;

    /// Encodes `batches` and makes sure that there is room for them. Costs CPU by their size.
    ///
    /// # Errors
    ///
    /// [`DmlError::Busy`] if the log or its disk is full, [`DmlError::Rejected`] if a frame cannot
    /// be as large.
    fn prepare(
        &self,
        database: &DatabaseRef,
        batches: &[PartitionBatch],
    ) -> Result<Self::Prepared, DmlError>;

    /// Queues the write. Its `done` is told when it is durable and visible, or was refused.
    ///
    /// # Errors
    ///
    /// If the log takes no more; nothing was kept.
    fn append(
        &self,
        prepared: Self::Prepared,
        batch_id: BatchId,
        write: PendingWrite,
    ) -> Result<(), DmlError>;
}

/// The segmented log of this node.
#[derive(Debug)]
pub(crate) struct LogAppender {
    log: wal::LogHandle<PendingWrite>,
    config: wal::Config,
}

impl LogAppender {
    pub(crate) fn new(log: wal::LogHandle<PendingWrite>, config: wal::Config) -> Self {
        Self { log, config }
    }
}

/// An encoded body and the room for its frame.
#[derive(Debug)]
pub(crate) struct PreparedFrame {
    body: wal::Body,
    space: wal::Space,
}

impl WalAppender for LogAppender {
    type Prepared = PreparedFrame;

    fn prepare(
        &self,
        database: &DatabaseRef,
        batches: &[PartitionBatch],
    ) -> Result<PreparedFrame, DmlError> {
        let raw = types::write::codec::encode_body(database, batches);
        let body = wal::Body::encode(raw, &self.config).map_err(|error| refusal(&error))?;
        let space = self.log.reserve(body.frame_len()).map_err(|error| refusal(&error))?;
        Ok(PreparedFrame { body, space })
    }

    fn append(
        &self,
        prepared: PreparedFrame,
        batch_id: BatchId,
        write: PendingWrite,
    ) -> Result<(), DmlError> {
        let PreparedFrame { body, space } = prepared;
        let batches = write.batch_count();
        let append = wal::Append { body, batches, batch_id, payload: write, space };
        self.log.append(append).map_err(|(error, _)| refusal(&error))
    }
}

/// What a client is told of an append of which nothing was kept.
pub(crate) fn refusal(error: &wal::Error) -> DmlError {
    use types::ErrorKind;
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::Busy => DmlError::Busy { reason, retry_after: crate::state::RETRY_AFTER },
        ErrorKind::Rejected => DmlError::Rejected { reason },
        ErrorKind::Fenced => DmlError::Fenced { reason },
        _ => DmlError::Internal { reason },
    }
}
