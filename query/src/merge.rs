//! Brings sorted sources together: one row a point, field by field the newest value.
//!
//! Each source is sorted by the key and has each point once, so equal keys stand at the heads of
//! their sources at the same time:
//!
//! ```text
//!   oldest  source 0   (a,1) (a,3) ...          heap of heads, by key, then by source
//!           source 1   (a,1) (b,2) ...   ─────▶ (a,1)/0 (a,1)/1 = one point: newest non-null wins
//!   newest  source 2   (a,2) ...
//! ```
//!
//! Keys are compared as bytes (`arrow-row`), nulls first, as the sources are sorted.

mod head;
mod key_columns;
mod points;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::RowConverter;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::{StreamExt, stream};

use crate::error::Error;
use crate::source::{BATCH_ROWS, BatchStream};
use head::Head;
pub(crate) use key_columns::KeyColumns;
use points::Points;

/// The merged rows of `sources`, which stand in the order of their values, the oldest first, and
/// have the [columns to read](KeyColumns::read); what comes out has the columns of the output.
///
/// # Errors
///
/// [`Error::Fault`] if the key has a type that cannot be ordered, which no tag has.
pub(crate) fn merge(
    sources: Vec<BatchStream>,
    columns: &KeyColumns,
    memory: MemoryReservation,
) -> Result<BatchStream, Error> {
    let merge = Merge {
        keys: RowConverter::new(columns.sort_fields())?,
        starved: (0..sources.len()).collect(),
        heads: BinaryHeap::with_capacity(sources.len()),
        keys_bytes: vec![0; sources.len()],
        points: Points::new(columns, sources.len()),
        key: columns.key().to_vec(),
        sources,
        memory,
    };
    let batches = stream::try_unfold(merge, |mut merge| async move {
        Ok(merge.next().await?.map(|batch| (batch, merge)))
    });
    Ok(batches.boxed())
}

struct Merge {
    sources: Vec<BatchStream>,
    /// Where the key's columns stand in the sources.
    key: Vec<usize>,
    keys: RowConverter,
    /// The first row of each source that is not taken yet.
    heads: BinaryHeap<Reverse<Head>>,
    /// The sources whose batch is used up, so that their head is not known.
    starved: Vec<usize>,
    points: Points,
    /// The bytes of the encoded keys of each source's batch.
    keys_bytes: Vec<usize>,
    memory: MemoryReservation,
}

impl Merge {
    async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        loop {
            while let Some(source) = self.starved.pop() {
                self.refill(source).await?;
            }
            while self.starved.is_empty() && self.points.len() < BATCH_ROWS && self.take_point() {}
            let ended = self.heads.is_empty() && self.starved.is_empty();
            if ended || self.points.len() >= BATCH_ROWS {
                return self.points.finish();
            }
        }
    }

    /// Reads the next batch of `source`; at its end the source has no head any more.
    async fn refill(&mut self, source: usize) -> Result<(), Error> {
        let batch = loop {
            match self.sources[source].next().await.transpose()? {
                Some(batch) if batch.num_rows() == 0 => {}
                other => break other,
            }
        };
        let Some(batch) = batch else {
            self.keys_bytes[source] = 0;
            self.points.end(source);
            return Ok(());
        };
        let columns: Vec<_> =
            self.key.iter().map(|at| ArrayRef::clone(batch.column(*at))).collect();
        let keys = self.keys.convert_columns(&columns)?;
        self.keys_bytes[source] = keys.size();
        self.memory.try_resize(self.keys_bytes.iter().sum())?;
        self.points.read(source, batch);
        self.heads.push(Reverse(Head::new(keys, source)));
        Ok(())
    }

    /// Takes the rows of the smallest key off their sources; false if there is none.
    fn take_point(&mut self) -> bool {
        let Some(Reverse(first)) = self.heads.peek() else {
            return false;
        };
        let first = first.clone();
        while let Some(head) = self.heads.peek_mut() {
            if !head.0.is_same_point(&first) {
                break;
            }
            // Equal keys come in the order of their sources, so the last is the newest.
            self.points.add_row(head.0.source(), head.0.row());
            if let Some(used_up) = advance(head) {
                self.starved.push(used_up);
            }
        }
        self.points.end_point();
        true
    }
}

/// Moves a head on by one row; returns its source if that was its batch's last.
fn advance(mut head: PeekMut<'_, Reverse<Head>>) -> Option<usize> {
    if head.0.is_last() {
        return Some(PeekMut::pop(head).0.source());
    }
    head.0.advance();
    None
}

#[cfg(test)]
mod tests;
