//! The open chunk: where small batches gather, so that a million one-row writes do not cost a
//! million small allocations.

use std::sync::{Arc, Weak};

use types::seam::DurableBatch;
use types::{Batch, BatchBuilder, Chunk, Lsn, LsnRange, Reservation};

/// Rows at which an open chunk is closed. A reader copies the open chunk under the partition's
/// lock; 4,096 rows of 20 columns are some 600 KiB, a copy of about 50 microseconds.
const ROWS_MAX: usize = 4_096;
/// Bytes at which it is closed, for the sake of the same copy where rows hold long texts.
const BYTES_MAX: u64 = 1 << 20;

/// Batches of at least so many rows are chunks of their own: copying them gains nothing.
const ROWS_TO_GATHER: usize = 1_024;
/// So are batches of so many bytes.
const BYTES_TO_GATHER: u64 = 256 << 10;

/// A closed chunk with the memory that it occupies.
#[derive(Debug)]
pub(super) struct BufferedChunk {
    pub(super) chunk: Chunk,
    pub(super) memory: Reservation,
}

impl BufferedChunk {
    fn of(batch: DurableBatch) -> Self {
        let chunk = Chunk { lsns: LsnRange::of(batch.lsn), batch: batch.batch.batch };
        Self { chunk, memory: batch.memory }
    }
}

/// Small batches on their way to a chunk.
#[derive(Debug)]
struct Gathering {
    rows: BatchBuilder,
    lsns: LsnRange,
    memory: Reservation,
    /// What readers were given last, until a batch is added or none of them has it any more.
    seen: Weak<Batch>,
}

impl Gathering {
    /// Takes the batch's rows and memory, or gives it back if it does not fit the columns.
    fn add(&mut self, batch: DurableBatch) -> Option<DurableBatch> {
        if self.rows.append(&batch.batch.batch).is_err() {
            return Some(batch);
        }
        self.lsns = self.lsns.hull(LsnRange::of(batch.lsn));
        self.memory.merge(batch.memory);
        self.memory.set_anyway(self.rows.size_bytes());
        self.seen = Weak::new();
        None
    }
}

/// The open chunk of a partition; nothing while no small batch came.
#[derive(Debug, Default)]
pub(super) struct OpenChunk(Option<Gathering>);

impl OpenChunk {
    /// Adds a batch; chunks that are complete by that go to `closed`, in LSN order.
    pub(super) fn push(&mut self, mut batch: DurableBatch, closed: &mut Vec<BufferedChunk>) {
        let rows = &batch.batch.batch;
        if rows.rows() >= ROWS_TO_GATHER || rows.size_bytes() >= BYTES_TO_GATHER {
            closed.extend(self.close());
            closed.push(BufferedChunk::of(batch));
            return;
        }
        let gathering = self.0.get_or_insert_with(|| Gathering {
            rows: BatchBuilder::new(),
            lsns: LsnRange::of(batch.lsn),
            memory: batch.memory.split(0),
            seen: Weak::new(),
        });
        if let Some(misfit) = gathering.add(batch) {
            // Neither a column's type nor the bytes of this chunk can bring us here.
            closed.extend(self.close());
            closed.push(BufferedChunk::of(misfit));
        } else if gathering.rows.rows() >= ROWS_MAX || gathering.memory.bytes() >= BYTES_MAX {
            closed.extend(self.close());
        }
    }

    /// Ends the chunk; the next small batch opens another.
    pub(super) fn close(&mut self) -> Option<BufferedChunk> {
        let Gathering { rows, lsns, mut memory, .. } = self.0.take()?;
        if rows.is_empty() {
            return None;
        }
        let batch = Arc::new(rows.finish());
        memory.set_anyway(batch.size_bytes());
        Some(BufferedChunk { chunk: Chunk { lsns, batch }, memory })
    }

    /// What is in the chunk now, as a reader sees it.
    pub(super) fn snapshot(&mut self) -> Option<Chunk> {
        let gathering = self.0.as_mut().filter(|gathering| !gathering.rows.is_empty())?;
        let batch = gathering.seen.upgrade().unwrap_or_else(|| {
            let copied = Arc::new(gathering.rows.snapshot());
            gathering.seen = Arc::downgrade(&copied);
            copied
        });
        Some(Chunk { lsns: gathering.lsns, batch })
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
