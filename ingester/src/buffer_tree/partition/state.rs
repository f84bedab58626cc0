//! What a partition's lock guards.
//!
//! A set of rows moves one way only: open chunk → chunks → sealed → retired → gone.

use std::collections::VecDeque;
use std::time::Duration;

use types::seam::DurableBatch;
use types::{CatalogVersion, Chunk, Lsn, LsnRange, MemoryOwner};

use super::{PartitionSize, SealedSet};
use crate::buffer_tree::open_chunk::OpenChunk;

/// A sealed set on its way to a file.
#[derive(Debug)]
struct Sealed {
    set: SealedSet,
    rows: u64,
    published: Duration,
    bytes: u64,
}

/// A set that is in a file of `version`.
#[derive(Debug)]
struct Retired {
    set: SealedSet,
    version: CatalogVersion,
    bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct PartitionState {
    open: OpenChunk,
    chunks: Vec<Chunk>,
    /// How large everything but `open` is, kept as things move: it is looked at with every push.
    size: PartitionSize,
    /// When the oldest row in `open` and `chunks` was published.
    unsealed_since: Option<Duration>,
    /// In LSN order; jobs may end in any order.
    sealed: VecDeque<Sealed>,
    retired: Vec<Retired>,
    detached: bool,
}

impl PartitionState {
    pub(super) const fn is_detached(&self) -> bool {
        self.detached
    }

    pub(super) fn push(&mut self, mut batch: DurableBatch, now: Duration) {
        assert!(
            self.last_lsn().is_none_or(|last| last < batch.lsn),
            "batches are published in LSN order"
        );
        batch.memory = batch.memory.transfer(MemoryOwner::Buffer);
        self.unsealed_since.get_or_insert(now);
        let closed = self.chunks.len();
        self.open.push(batch, &mut self.chunks);
        self.count_closed(closed);
    }

    /// Adds the chunks from index `first` on to the size.
    fn count_closed(&mut self, first: usize) {
        for chunk in &self.chunks[first..] {
            self.size.rows += chunk.batch.rows() as u64;
            self.size.unsealed_bytes += chunk.memory.bytes();
        }
    }

    /// The last LSN of the closed chunks or of the sealed sets: a lower bound of the newest.
    fn last_lsn(&self) -> Option<Lsn> {
        let of_chunks = self.chunks.last().map(|chunk| chunk.lsns.last());
        of_chunks.or_else(|| self.sealed.back().map(|sealed| sealed.set.lsns.last()))
    }

    pub(super) fn seal(&mut self) -> Option<SealedSet> {
        let closed = self.chunks.len();
        self.chunks.extend(self.open.close());
        self.count_closed(closed);
        self.size.sealed_bytes += std::mem::take(&mut self.size.unsealed_bytes);
        let published = self.unsealed_since.take();
        let chunks = std::mem::take(&mut self.chunks);
        let lsns = chunks.first()?.lsns.hull(chunks.last()?.lsns);
        let rows = chunks.iter().map(|chunk| chunk.batch.rows() as u64).sum();
        let bytes = chunks.iter().map(|chunk| chunk.memory.bytes()).sum();
        let published = published.unwrap_or_default();
        let set = SealedSet { lsns, chunks };
        self.sealed.push_back(Sealed { set: set.clone(), rows, published, bytes });
        Some(set)
    }

    pub(super) fn chunks_not_in(&mut self, in_files: &[LsnRange]) -> Vec<Chunk> {
        let retired = self.retired.iter().flat_map(|retired| &retired.set.chunks);
        let sealed = self.sealed.iter().flat_map(|sealed| &sealed.set.chunks);
        let mut chunks: Vec<Chunk> = retired.chain(sealed).chain(&self.chunks).cloned().collect();
        chunks.extend(self.open.snapshot());
        chunks.retain(|chunk| !in_files.iter().any(|range| range.covers(chunk.lsns)));
        // Jobs end in any order, so a retired set may be newer than a sealed one.
        chunks.sort_by_key(|chunk| chunk.lsns.first());
        chunks
    }

    pub(super) fn retire(&mut self, lsns: LsnRange, version: CatalogVersion) {
        let Some(at) = self.sealed.iter().position(|sealed| sealed.set.lsns == lsns) else {
            return;
        };
        if let Some(Sealed { set, rows, bytes, .. }) = self.sealed.remove(at) {
            self.size.rows -= rows;
            self.size.sealed_bytes -= bytes;
            self.size.retired_bytes += bytes;
            // From here on it is kept for queries alone, here and in their streams.
            for chunk in &set.chunks {
                chunk.memory.pass_to(MemoryOwner::Query);
            }
            self.retired.push(Retired { set, version, bytes });
        }
    }

    pub(super) fn release(
        &mut self,
        needed: impl Fn(CatalogVersion) -> bool,
    ) -> (Option<CatalogVersion>, u64) {
        let mut highest = None;
        self.retired.retain(|retired| {
            let keep = needed(retired.version);
            if !keep {
                self.size.retired_bytes -= retired.bytes;
                highest = highest.max(Some(retired.version));
            }
            keep
        });
        (highest, self.size.retired_bytes)
    }

    pub(super) fn detach_if_empty(&mut self) -> bool {
        let empty = self.open.rows() == 0
            && self.chunks.is_empty()
            && self.sealed.is_empty()
            && self.retired.is_empty();
        self.detached |= empty;
        self.detached
    }

    pub(super) fn size(&self) -> PartitionSize {
        let mut size = self.size;
        size.rows += self.open.rows() as u64;
        size.unsealed_bytes += self.open.bytes();
        size
    }

    pub(super) const fn unsealed_since(&self) -> Option<Duration> {
        self.unsealed_since
    }

    pub(super) fn unpersisted_since(&self) -> Option<Duration> {
        let sealed = self.sealed.iter().map(|sealed| sealed.published).min();
        sealed.into_iter().chain(self.unsealed_since).min()
    }

    pub(super) fn first_unpersisted(&self) -> Option<Lsn> {
        let sealed = self.sealed.front().map(|sealed| sealed.set.lsns.first());
        sealed.or_else(|| self.first_unsealed())
    }

    pub(super) fn first_unsealed(&self) -> Option<Lsn> {
        let closed = self.chunks.first().map(|chunk| chunk.lsns.first());
        closed.or_else(|| self.open.first_lsn())
    }
}
