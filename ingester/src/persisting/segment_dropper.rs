//! Drops segments of the log that nothing needs any more.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Action, CatalogWrite, Command};
use tokio::sync::Notify;
use tokio::time::timeout;
use types::effect::{Lost, Pool, Randomness, offload};
use types::{Epoch, LogId};

use crate::error::Error;
use crate::publisher::SegmentSealed;
use crate::wal_appender::PendingWrite;
use crate::wal_tracker::{Droppable, WalTracker};

/// How long after a failure it is tried again. At a full log nothing may be written any more, nor
/// settled, that would have the dropper look.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Has the dropper look again.
#[derive(Clone, Debug, Default)]
pub(crate) struct DropSignal(Arc<Notify>);

impl DropSignal {
    /// Segments may have become free. A signal that comes while the dropper is busy is kept.
    pub(crate) fn look(&self) {
        self.0.notify_one();
    }
}

impl SegmentSealed for DropSignal {
    fn segment_sealed(&self) {
        self.look();
    }
}

/// Removes the oldest segments as soon as all that is in them is settled.
#[derive(Debug)]
pub(crate) struct SegmentDropper {
    pub(crate) tracker: Arc<WalTracker>,
    pub(crate) log: wal::LogHandle<PendingWrite>,
    pub(crate) log_id: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) catalog: Arc<dyn CatalogWrite>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) pool: Arc<dyn Pool>,
    pub(crate) signal: DropSignal,
}

impl SegmentDropper {
    /// Drops whenever it is told to look, and again after each failure, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.signal.0.notified().await;
            while let Err(error) = self.drop_free().await {
                if matches!(error, Error::Log(wal::Error::Closed)) {
                    // The node ends, and what is left is dropped by the next one.
                    break;
                }
                // The segments stay listed.
                tracing::warn!(%error, "cannot drop segments of the log, will try again");
                let _ = timeout(RETRY_PERIOD, self.signal.0.notified()).await;
            }
        }
    }

    /// Drops what is free now.
    pub(crate) async fn drop_free(&self) -> Result<(), Error> {
        while let Some(droppable) = self.tracker.droppable() {
            self.record_lsn(droppable).await?;
            let log = self.log.clone();
            let through = droppable.through;
            let dropped = offload(&*self.pool, move || log.drop_through(through)).await;
            dropped.map_err(|Lost| Error::lost("drop segments"))??;
            self.tracker.dropped(through);
            tracing::debug!(%through, "dropped segments of the log");
        }
        Ok(())
    }

    /// Makes sure that the catalog knows the largest LSN of what goes, so that a log that is empty
    /// at the next start gives no LSN twice.
    async fn record_lsn(&self, droppable: Droppable) -> Result<(), Error> {
        let known = self.catalog.snapshot().log(self.log_id).map(|entry| entry.lsn);
        if known >= Some(droppable.last) {
            return Ok(());
        }
        let (log, epoch, lsn) = (self.log_id, self.epoch, droppable.last);
        let record = Command::new(Action::RecordLsn { log, epoch, lsn }, &*self.randomness);
        self.catalog.apply(record).await?;
        Ok(())
    }
}
