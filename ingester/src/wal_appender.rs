//! The log as the write path sees it, so that another log or another codec can be put in.

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::oneshot;
use types::seam::{DmlError, Rejection};
use types::{BatchId, DatabaseRef, ErrorKind, Lsn, PartitionBatch, Reservation};

use crate::retry_after::RetryAfter;

/// A write on its way to the disk, with all that its publication needs.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    /// The database.
    pub(crate) database: Arc<DatabaseRef>,
    /// One batch a partition, in the order of their LSNs.
    pub(crate) batches: Vec<PartitionBatch>,
    /// The memory that the batches occupy, and what was encoded of them until it is durable.
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

    /// The bytes that a prepared write takes in memory, beside its batches, until it is durable.
    fn bytes_of(prepared: &Self::Prepared) -> u64;

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
    retry: RetryAfter,
}

impl LogAppender {
    pub(crate) fn new(
        log: wal::LogHandle<PendingWrite>,
        config: wal::Config,
        retry: RetryAfter,
    ) -> Self {
        Self { log, config, retry }
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
        let encoded = wal::Body::encode(raw, &self.config);
        let body = encoded.map_err(|error| refusal(&error, &self.retry))?;
        let space = self.log.reserve(body.frame_len());
        let space = space.map_err(|error| refusal(&error, &self.retry))?;
        Ok(PreparedFrame { body, space })
    }

    fn bytes_of(prepared: &PreparedFrame) -> u64 {
        prepared.body.frame_len()
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
        self.log.append(append).map_err(|(error, _)| refusal(&error, &self.retry))
    }
}

/// What a client is told of an append of which nothing was kept, and when to come back if that can
/// help.
pub(crate) fn refusal(error: &wal::Error, retry: &RetryAfter) -> DmlError {
    let retry_after = match error {
        wal::Error::LogFull { used, max, wanted } => {
            let excess = used.saturating_add(*wanted).saturating_sub(*max);
            retry.after_shrinking(*used, excess)
        }
        // The log looks for room again every few seconds.
        _ => retry.soon(),
    };
    let reason = error.to_string();
    if matches!(error, wal::Error::BodyTooLarge { .. } | wal::Error::FrameTooLarge { .. }) {
        return DmlError::Rejected { why: Rejection::TooLarge, reason };
    }
    match error.kind() {
        ErrorKind::Busy => DmlError::Busy { reason, retry_after },
        ErrorKind::Fenced => DmlError::Fenced { reason },
        // What else a log rejects is not what a client sent, but how it was handed on.
        _ => DmlError::Internal { reason },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::effect::{ManualClock, SeededRandomness};

    use super::*;

    fn retry() -> (Arc<ManualClock>, RetryAfter) {
        let clock = Arc::new(ManualClock::default());
        let randomness = Arc::new(SeededRandomness::new(1));
        (Arc::clone(&clock), RetryAfter::new(clock, randomness))
    }

    #[test]
    fn what_no_frame_can_hold_is_too_large_and_what_is_done_wrong_here_is_our_fault() {
        let (_, retry) = retry();
        let told = |error: &wal::Error| refusal(error, &retry);
        for error in [
            wal::Error::BodyTooLarge { raw_len: 2, max: 1 },
            wal::Error::FrameTooLarge { frame_len: 2, max: 1 },
        ] {
            let too_large = told(&error);
            assert!(
                matches!(too_large, DmlError::Rejected { why: Rejection::TooLarge, .. }),
                "{too_large}"
            );
        }
        let ours = told(&wal::Error::SpaceTooSmall { reserved: 1, needed: 2 });
        assert!(matches!(ours, DmlError::Internal { .. }), "{ours}");
    }

    #[test]
    fn a_full_log_says_when_enough_of_it_will_have_been_dropped() {
        let (clock, retry) = retry();
        let seconds = |used, wanted| {
            let refused = refusal(&wal::Error::LogFull { used, max: 500, wanted }, &retry);
            let DmlError::Busy { retry_after, .. } = refused else {
                panic!("it may have room later: {refused}");
            };
            retry_after.as_secs()
        };
        assert!((1..=5).contains(&seconds(1_000, 1)), "nothing was dropped yet");
        for second in 1..=50 {
            clock.advance(Duration::from_secs(1));
            seconds(1_000 - 10 * second, 1);
        }
        let told = seconds(500, 100);
        assert!((10..=15).contains(&told), "{told} s at ten bytes a second");
        let told = seconds(500, 1);
        assert!((1..=2).contains(&told), "{told} s");
    }
}
