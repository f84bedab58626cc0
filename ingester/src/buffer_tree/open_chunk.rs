//! The open chunk: where small batches gather, so that a million one-row writes do not cost a
//! million small allocations.

use std::sync::{Arc, Weak};

use types::seam::DurableBatch;
use types::{
    Batch, BatchBuilder, Chunk, Lsn, LsnRange, MemoryOwner, Reservation, SharedReservation,
    WeakReservation,
};

/// Rows at which an open chunk is closed. A reader copies the open chunk under the partition's
/// lock; 4,096 rows of 20 columns are some 600 KiB, a copy of about 50 microseconds.
const ROWS_MAX: usize = 4_096;
/// Bytes at which it is closed, for the sake of the same copy where rows hold long texts.
const BYTES_MAX: u64 = 1 << 20;

/// Batches of at least so many rows are chunks of their own: copying them gains nothing.
const ROWS_TO_GATHER: usize = 1_024;
/// So are batches of so many bytes.
const BYTES_TO_GATHER: u64 = 256 << 10;

/// A chunk of one batch, with the memory that came with it.
fn chunk_of(batch: DurableBatch) -> Chunk {
    let memory = SharedReservation::new(batch.memory);
    Chunk { lsns: LsnRange::of(batch.lsn), batch: batch.batch.batch, memory }
}

/// Has `memory` be `bytes`. What is given back is so as a request's: rows that take less room than
/// before are still here, and the buffer has not drained by it.
fn fit(memory: &mut Reservation, bytes: u64) {
    let mut excess = memory.beside(MemoryOwner::Request, 0);
    excess.merge(memory.split(memory.bytes().saturating_sub(bytes)));
    memory.set_anyway(bytes);
}

/// Small batches on their way to a chunk.
#[derive(Debug)]
struct Gathering {
    rows: BatchBuilder,
    lsns: LsnRange,
    memory: Reservation,
    /// What readers were given last, until a batch is added or none of them has it any more.
    seen: Seen,
}

/// The copy of an open chunk that readers share: it counts as theirs, and is gone with the last.
#[derive(Debug, Default)]
struct Seen {
    batch: Weak<Batch>,
    memory: WeakReservation,
}

impl Seen {
    fn upgrade(&self) -> Option<(Arc<Batch>, SharedReservation)> {
        Some((self.batch.upgrade()?, self.memory.upgrade()?))
    }
}

impl Gathering {
    /// Takes the batch's rows and memory, or gives it back if it does not fit the columns.
    fn add(&mut self, batch: DurableBatch) -> Option<DurableBatch> {
        if self.rows.append(&batch.batch.batch).is_err() {
            return Some(batch);
        }
        self.lsns = self.lsns.hull(LsnRange::of(batch.lsn));
        self.memory.merge(batch.memory);
        fit(&mut self.memory, self.rows.size_bytes());
        self.seen = Seen::default();
        None
    }

    /// Copies the rows for a reader, and for those that come before the next batch.
    fn copy(&mut self) -> (Arc<Batch>, SharedReservation) {
        let batch = Arc::new(self.rows.snapshot());
        let copied = self.memory.beside(MemoryOwner::Query, batch.size_bytes());
        let memory = SharedReservation::new(copied);
        self.seen = Seen { batch: Arc::downgrade(&batch), memory: memory.downgrade() };
        (batch, memory)
    }
}

/// The open chunk of a partition; nothing while no small batch came.
#[derive(Debug, Default)]
pub(super) struct OpenChunk(Option<Gathering>);

impl OpenChunk {
    /// Adds a batch; chunks that are complete by that go to `closed`, in LSN order.
    pub(super) fn push(&mut self, mut batch: DurableBatch, closed: &mut Vec<Chunk>) {
        let rows = &batch.batch.batch;
        if rows.rows() >= ROWS_TO_GATHER || rows.size_bytes() >= BYTES_TO_GATHER {
            closed.extend(self.close());
            closed.push(chunk_of(batch));
            return;
        }
        let gathering = self.0.get_or_insert_with(|| Gathering {
            rows: BatchBuilder::new(),
            lsns: LsnRange::of(batch.lsn),
            memory: batch.memory.split(0),
            seen: Seen::default(),
        });
        if let Some(misfit) = gathering.add(batch) {
            // Neither a column's type nor the bytes of this chunk can bring us here.
            closed.extend(self.close());
            closed.push(chunk_of(misfit));
        } else if gathering.rows.rows() >= ROWS_MAX || gathering.memory.bytes() >= BYTES_MAX {
            closed.extend(self.close());
        }
    }

    /// Ends the chunk; the next small batch opens another.
    pub(super) fn close(&mut self) -> Option<Chunk> {
        let Gathering { rows, lsns, mut memory, .. } = self.0.take()?;
        if rows.is_empty() {
            return None;
        }
        let batch = Arc::new(rows.finish());
        fit(&mut memory, batch.size_bytes());
        Some(Chunk { lsns, batch, memory: SharedReservation::new(memory) })
    }

    /// What is in the chunk now, as a reader sees it.
    pub(super) fn snapshot(&mut self) -> Option<Chunk> {
        let gathering = self.0.as_mut().filter(|gathering| !gathering.rows.is_empty())?;
        let (batch, memory) = gathering.seen.upgrade().unwrap_or_else(|| gathering.copy());
        Some(Chunk { lsns: gathering.lsns, batch, memory })
    }

    pub(super) fn rows(&self) -> usize {
        self.0.as_ref().map_or(0, |gathering| gathering.rows.rows())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |gathering| gathering.memory.bytes())
    }

    /// The first LSN in the chunk.
    pub(super) fn first_lsn(&self) -> Option<Lsn> {
        self.0.as_ref().map(|gathering| gathering.lsns.first())
    }
}
