//! Bounds the partitions in the buffer: each costs memory and, sooner or later, a file.

use std::sync::Arc;

use async_trait::async_trait;
use types::seam::{DmlError, DmlSink, Rejection};
use types::{Position, Write};

use crate::buffer_tree::BufferTree;
use crate::retry_after::RetryAfter;

/// Decorates a sink: refuses writes that would begin more partitions than may be buffered.
#[derive(Debug)]
pub(crate) struct PartitionLimit<S> {
    inner: S,
    tree: Arc<BufferTree>,
    partitions_max: usize,
    retry: RetryAfter,
}

impl<S> PartitionLimit<S> {
    pub(crate) const fn new(
        inner: S,
        tree: Arc<BufferTree>,
        partitions_max: usize,
        retry: RetryAfter,
    ) -> Self {
        Self { inner, tree, partitions_max, retry }
    }

    /// Writes that are checked at the same time may pass the limit together; each by no more than
    /// the partitions of one request.
    fn check(&self, write: &Write) -> Result<(), DmlError> {
        let max = self.partitions_max;
        let buffered = self.tree.partition_count();
        if buffered + write.batches.len() <= max {
            return Ok(());
        }
        let begins = |batch: &&types::PartitionBatch| {
            let table = self.tree.table(batch.table.id);
            table.is_none_or(|table| table.partition(batch.partition()).is_none())
        };
        let begun = write.batches.iter().filter(begins).count();
        // No writer waits for a reader.
        let buffered = buffered.saturating_sub(self.tree.readers().kept_partitions());
        if begun == 0 || buffered + begun <= max {
            return Ok(());
        }
        let count = write.batches.len();
        if count > max {
            // All of them would have to be there at once, whatever is persisted meanwhile.
            let reason = format!(
                "the write has rows of {count} partitions, more than the limit of {max} buffered \
                 partitions: send it in parts"
            );
            return Err(DmlError::Rejected { why: Rejection::TooLarge, reason });
        }
        let excess = (buffered + begun).saturating_sub(max);
        Err(DmlError::Busy {
            reason: format!("there would be more than the limit of {max} buffered partitions"),
            retry_after: self.retry.after_shrinking(buffered as u64, excess as u64),
        })
    }
}

#[async_trait]
impl<S: DmlSink> DmlSink for PartitionLimit<S> {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        self.check(&write)?;
        self.inner.apply(write).await
    }
}
