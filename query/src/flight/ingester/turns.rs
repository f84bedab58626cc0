//! The partitions of a scan, each read when its turn comes.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use arrow_flight::FlightData;
use bytes::Bytes;
use catalog::Table;
use datafusion::execution::memory_pool::MemoryPool;
use futures::future::ready;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use types::seam::{PartitionRef, QueryReader, TableReader};
use types::{Chunk, LogId};

use super::rows;
use super::wanted::Wanted;
use crate::cut::until_cut;
use crate::error::Error;
use crate::proto::ingester_frame::Frame;
use crate::proto::{ChunkStart, PartitionStart};

/// A scan that has had some of its turns.
#[derive(Debug)]
pub(super) struct Turns {
    scan: Arc<dyn TableReader>,
    /// How many of the scan's partitions have had their turn.
    done: usize,
    wanted: Wanted,
    table: Arc<Table>,
    columns: Vec<FieldRef>,
    log: LogId,
    memory: Arc<dyn MemoryPool>,
}

impl Turns {
    /// Opens a scan of `table` through `reader`.
    pub(super) fn new(
        reader: &dyn QueryReader,
        wanted: Wanted,
        table: Arc<Table>,
        log: LogId,
        memory: &Arc<dyn MemoryPool>,
    ) -> Self {
        Self {
            scan: reader.open(table.schema.table.id),
            done: 0,
            columns: wanted.columns_of(&table),
            wanted,
            table,
            log,
            memory: Arc::clone(memory),
        }
    }

    /// The messages of all partitions that have rows, as long as the scan need not give way.
    pub(super) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<FlightData, Error>> + Send + 'static {
        let scan = Arc::clone(&self.scan);
        let turns = stream::try_unfold(self, |mut turns| {
            let turn = turns.next();
            ready(turn.map(|turn| turn.map(|frames| (frames, turns))))
        });
        until_cut(turns.try_flatten().boxed(), &*scan)
    }

    /// Takes the turn at the next partition that has rows.
    fn next(
        &mut self,
    ) -> Result<Option<impl Stream<Item = Result<FlightData, Error>> + Send + use<>>, Error> {
        while let Some(partition) = self.scan.partitions().get(self.done) {
            self.done += 1;
            let in_files = self.wanted.in_files(&self.table, &partition.key, self.log);
            let mut chunks = self.scan.take(partition.id, &in_files)?;
            chunks.retain(|chunk| rows::are_wanted(&chunk.batch, self.wanted.times.as_ref()));
            if !chunks.is_empty() {
                return Ok(Some(self.frames(partition, chunks)));
            }
        }
        Ok(None)
    }

    fn frames(
        &self,
        partition: &PartitionRef,
        chunks: Vec<Chunk>,
    ) -> impl Stream<Item = Result<FlightData, Error>> + Send + use<> {
        let start = Frame::Partition(PartitionStart {
            partition_id: Bytes::copy_from_slice(&partition.id.get().to_be_bytes()),
            partition_key: partition.key.to_string(),
        });
        let (columns, times) = (self.columns.clone(), self.wanted.times.clone());
        let memory = Arc::clone(&self.memory);
        let chunks = stream::iter(chunks).flat_map(move |chunk| {
            let start = Frame::Chunk(ChunkStart {
                first_lsn: chunk.lsns.first().get(),
                last_lsn: chunk.lsns.last().get(),
            });
            let rows = rows::frames(chunk.batch, &columns, times.clone(), &memory);
            stream::once(ready(Ok(super::message(start)))).chain(rows)
        });
        stream::once(ready(Ok(super::message(start)))).chain(chunks)
    }
}
