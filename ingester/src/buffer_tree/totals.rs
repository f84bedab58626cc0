//! How much there is in the whole buffer: kept as things move, so that nobody who wants to know has
//! to ask each partition.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::partition::PartitionSize;

/// The sum of all partitions. Quantities, in no order with other memory nor with each other.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    partitions: AtomicUsize,
    rows: AtomicU64,
    unsealed_bytes: AtomicU64,
    sealed_bytes: AtomicU64,
    retired_bytes: AtomicU64,
}

impl Totals {
    /// How many partitions there are.
    pub(super) fn partitions(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }

    pub(super) fn partition_begun(&self) {
        self.partitions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn partition_forgotten(&self) {
        self.partitions.fetch_sub(1, Ordering::Relaxed);
    }

    /// A partition that was as large as `before` is as large as `after` now. Told under its lock, so
    /// that no sum ever holds less of it than nothing.
    pub(super) fn changed(&self, before: PartitionSize, after: PartitionSize) {
        move_by(&self.rows, before.rows, after.rows);
        move_by(&self.unsealed_bytes, before.unsealed_bytes, after.unsealed_bytes);
        move_by(&self.sealed_bytes, before.sealed_bytes, after.sealed_bytes);
        move_by(&self.retired_bytes, before.retired_bytes, after.retired_bytes);
    }

    /// Rows and bytes of all partitions.
    pub(super) fn size(&self) -> PartitionSize {
        PartitionSize {
            rows: self.rows.load(Ordering::Relaxed),
            unsealed_bytes: self.unsealed_bytes.load(Ordering::Relaxed),
            sealed_bytes: self.sealed_bytes.load(Ordering::Relaxed),
            retired_bytes: self.retired_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Adds what `after` has more than `before`, or takes away what it has less.
fn move_by(total: &AtomicU64, before: u64, after: u64) {
    if before != after {
        // Atomics wrap, so a difference below zero is taken away.
        total.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }
}
