//! One partition's rows, from their publication until no reader needs them any more.

mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use types::seam::DurableBatch;
use types::{
    CatalogVersion, Chunk, DatabaseRef, Lsn, LsnRange, PartitionId, PartitionKey, TableRef,
};

use state::PartitionState;

use super::totals::Totals;

/// All chunks that a partition had when it was sealed: one persist job.
#[derive(Clone, Debug)]
pub(crate) struct SealedSet {
    /// From the first chunk's first LSN to the last chunk's last: exact for the partition.
    pub(crate) lsns: LsnRange,
    /// In LSN order; never empty.
    pub(crate) chunks: Vec<Chunk>,
}

/// How large a partition is, in parts that mean different things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionSize {
    /// Rows that are in no file.
    pub(crate) rows: u64,
    /// Bytes that a seal would take now.
    pub(crate) unsealed_bytes: u64,
    /// Bytes on their way to a file.
    pub(crate) sealed_bytes: u64,
    /// Bytes in files already, kept for readers.
    pub(crate) retired_bytes: u64,
}

/// One partition in the buffer.
#[derive(Debug)]
pub(crate) struct Partition {
    database: Arc<DatabaseRef>,
    table: Arc<TableRef>,
    key: PartitionKey,
    id: PartitionId,
    state: Mutex<PartitionState>,
    /// Of the whole buffer.
    totals: Arc<Totals>,
}

impl Partition {
    pub(crate) fn new(
        database: Arc<DatabaseRef>,
        table: Arc<TableRef>,
        key: PartitionKey,
        totals: Arc<Totals>,
    ) -> Self {
        let id = PartitionId::of(table.id, &key);
        Self { database, table, key, id, state: Mutex::default(), totals }
    }

    /// Changes what the lock guards, and the totals by as much.
    fn change<T>(&self, change: impl FnOnce(&mut PartitionState) -> T) -> T {
        let mut state = self.state.lock();
        let before = state.size();
        let result = change(&mut state);
        self.totals.changed(before, state.size());
        result
    }

    pub(crate) fn database(&self) -> &Arc<DatabaseRef> {
        &self.database
    }

    pub(crate) fn table(&self) -> &Arc<TableRef> {
        &self.table
    }

    pub(crate) fn key(&self) -> &PartitionKey {
        &self.key
    }

    pub(crate) const fn id(&self) -> PartitionId {
        self.id
    }

    /// Adds a batch, or gives it back if the partition was removed from its table meanwhile.
    pub(crate) fn push(
        &self,
        batch: DurableBatch,
        now: Duration,
    ) -> Result<PartitionSize, DurableBatch> {
        self.change(|state| {
            if state.is_detached() {
                return Err(batch);
            }
            state.push(batch, now);
            Ok(state.size())
        })
    }

    /// Seals all chunks there are; `None` if there are none.
    pub(crate) fn seal(&self) -> Option<SealedSet> {
        self.change(PartitionState::seal)
    }

    /// The chunks that no range of `in_files` holds, in LSN order.
    pub(crate) fn chunks_not_in(&self, in_files: &[LsnRange]) -> Vec<Chunk> {
        self.state.lock().chunks_not_in(in_files)
    }

    /// Marks the sealed set with exactly these LSNs as being in a file of `version`.
    pub(crate) fn retire(&self, lsns: LsnRange, version: CatalogVersion) {
        self.change(|state| state.retire(lsns, version));
    }

    /// Drops each retired set for whose version `needed` says no. Returns the highest version that
    /// was dropped, and the bytes that are still kept.
    pub(crate) fn release(
        &self,
        needed: impl Fn(CatalogVersion) -> bool,
    ) -> (Option<CatalogVersion>, u64) {
        self.change(|state| state.release(needed))
    }

    /// True from now on if nothing is in the partition; then nothing can be added either.
    pub(crate) fn detach_if_empty(&self) -> bool {
        self.state.lock().detach_if_empty()
    }

    pub(crate) fn size(&self) -> PartitionSize {
        self.state.lock().size()
    }

    /// When the oldest row that is not sealed was published.
    pub(crate) fn unsealed_since(&self) -> Option<Duration> {
        self.state.lock().unsealed_since()
    }

    /// When the oldest row that is in no file was published.
    pub(crate) fn unpersisted_since(&self) -> Option<Duration> {
        self.state.lock().unpersisted_since()
    }

    /// The first LSN that is not sealed.
    pub(crate) fn first_unsealed(&self) -> Option<Lsn> {
        self.state.lock().first_unsealed()
    }

    /// The first LSN that is in no file.
    pub(crate) fn first_unpersisted(&self) -> Option<Lsn> {
        self.state.lock().first_unpersisted()
    }
}
