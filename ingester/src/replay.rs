//! Replay: the batches of the log that are in no file come back into the buffer.
//!
//! Segments are read oldest first, one frame in memory at a time. A batch whose LSN lies in a range
//! that the catalog holds for its partition is skipped; the others take the ordinary way, through
//! the same tracker as live ones, so persists run beside the reading and a segment is dropped as
//! soon as all of it is settled. Reading waits only for memory.
//!
//! Jobs of one partition end in any order, so there may be older rows than those in its files: what
//! comes before such a file is sealed apart from what comes behind it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use catalog::Snapshot;
use types::fault::{self, Bug, Point};
use types::seam::{DurableBatch, Publish};
use types::write::codec::{DecodedBody, decode_body};
use types::{LogId, Lsn, LsnRange, PartitionBatch, PartitionId, Reservation, Term};
use wal::{Frame, SegmentSummary};

use crate::buffer_tree::BufferTree;
use crate::error::Error;
use crate::persisting::segment_dropper::DropSignal;
use crate::state::{IngestState, ReplayProgress};
use crate::wal_appender::PendingWrite;
use crate::wal_tracker::WalTracker;

/// Gives memory to the replay, which waits for it as long as it must: persists free it.
pub(crate) trait ReplayMemory: Debug + Send + Sync {
    /// Blocks until `bytes` are there.
    fn wait_for(&self, bytes: u64) -> Reservation;
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplaySummary {
    pub(crate) segments: u64,
    pub(crate) batches: u64,
    /// Batches that were in files, or of dropped tables.
    pub(crate) skipped: u64,
}

/// Brings a log back into the buffer; blocks.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) log: wal::LogHandle<PendingWrite>,
    pub(crate) log_id: LogId,
    pub(crate) segments: Vec<SegmentSummary>,
    pub(crate) catalog: Arc<Snapshot>,
    pub(crate) tree: Arc<BufferTree>,
    pub(crate) tracker: Arc<WalTracker>,
    pub(crate) dropper: DropSignal,
    pub(crate) state: Arc<IngestState>,
    pub(crate) memory: Arc<dyn ReplayMemory>,
}

impl Replay {
    /// Reads all segments, unless the node ends before.
    pub(crate) fn run(&self) -> Result<ReplaySummary, Error> {
        let mut persisted = PersistedRanges::new(Arc::clone(&self.catalog), self.log_id);
        let mut summary = ReplaySummary::default();
        let bytes_total = self.segments.iter().map(|segment| segment.bytes).sum();
        let mut bytes_read = 0;
        for segment in &self.segments {
            self.state.replayed(ReplayProgress { bytes_read, bytes_total });
            for frame in self.log.frames(segment.seq)? {
                if self.state.is_draining() {
                    return Ok(summary);
                }
                let frame = frame?;
                fault::reach(Point::ReplayFrame);
                self.replay_frame(frame, &mut persisted, &mut summary)?;
            }
            if fault::is_planted(Bug::DropDuringReplay) {
                self.tracker.handed_over(segment.seq);
            }
            self.tracker.sealed(segment.seq);
            self.dropper.look();
            summary.segments += 1;
            bytes_read += segment.bytes;
        }
        Ok(summary)
    }

    fn replay_frame(
        &self,
        frame: Frame,
        persisted: &mut PersistedRanges,
        summary: &mut ReplaySummary,
    ) -> Result<(), Error> {
        let Frame { segment, lsns, body, .. } = frame;
        let DecodedBody { database, batches } =
            decode_body(&body).map_err(|source| Error::Frame { segment, lsns, source })?;
        drop(body);
        let mut lsn = lsns.first();
        for batch in batches {
            summary.batches += 1;
            if self.is_settled(&batch, lsn, persisted, (segment, lsns))? {
                summary.skipped += 1;
                self.tracker.skipped(segment, lsn);
                self.tree.seal_before_gap(batch.table.id, batch.partition());
            } else {
                let memory = self.memory.wait_for(batch.batch.size_bytes());
                self.tracker.published(segment, batch.partition(), lsn);
                let database = Arc::clone(&database);
                self.tree.publish(DurableBatch { lsn, segment, database, batch, memory });
            }
            lsn = lsn.next();
        }
        Ok(())
    }

    /// True if the batch is in a file or its table was dropped.
    fn is_settled(
        &self,
        batch: &PartitionBatch,
        lsn: Lsn,
        persisted: &mut PersistedRanges,
        at: (types::SegmentSeq, LsnRange),
    ) -> Result<bool, Error> {
        let table = batch.table.id;
        if self.catalog.is_dead(table) {
            return Ok(true);
        }
        if self.catalog.table_by_id(table).is_none() {
            return Err(Error::UnknownTable { segment: at.0, lsns: at.1, table });
        }
        if fault::is_planted(Bug::LargestLsn) {
            return Ok(persisted.of(batch).iter().any(|range| lsn <= range.last()));
        }
        Ok(persisted.of(batch).iter().any(|range| range.contains(lsn)))
    }
}

/// The ranges of this log that are in files, by partition, looked up once each.
#[derive(Debug)]
struct PersistedRanges {
    catalog: Arc<Snapshot>,
    log: LogId,
    known: HashMap<PartitionId, Vec<LsnRange>>,
}

impl PersistedRanges {
    fn new(catalog: Arc<Snapshot>, log: LogId) -> Self {
        Self { catalog, log, known: HashMap::new() }
    }

    fn of(&mut self, batch: &PartitionBatch) -> &[LsnRange] {
        let Self { catalog, log, known } = self;
        known.entry(batch.partition()).or_insert_with(|| {
            let table = catalog.table_by_id(batch.table.id);
            let partition = table.and_then(|(_, table)| table.partitions.get(&batch.key));
            let files = partition.into_iter().flat_map(|partition| &partition.files);
            let of_log = files.filter(|file| file.log == *log && file.term == Term::ZERO);
            of_log.map(|file| file.lsns).collect()
        })
    }
}
