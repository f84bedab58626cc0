//! Puts decoded batches into the buffer, in LSN order.

use std::sync::Arc;

use tokio::task::coop::consume_budget;
use types::fault::{self, Bug, Point};
use types::seam::{DurableBatch, Publish};
use types::{Reservation, SegmentSeq};

use super::decoding::{DecodedFrame, DecodedStep};
use super::persisted_ranges::PersistedRanges;
use super::progress::ProgressReport;
use super::{Replay, ReplaySummary};
use crate::error::Error;

/// The one place where replayed batches become visible.
pub(super) struct Applier<'a> {
    replay: &'a Replay,
    persisted: PersistedRanges,
    progress: ProgressReport<'a>,
    summary: ReplaySummary,
}

impl<'a> Applier<'a> {
    pub(super) fn new(replay: &'a Replay) -> Self {
        let Replay { catalog, log_id, state, clock, segments, .. } = replay;
        Self {
            replay,
            persisted: PersistedRanges::new(Arc::clone(catalog), *log_id),
            progress: ProgressReport::new(state, clock.as_ref(), segments),
            summary: ReplaySummary::default(),
        }
    }

    pub(super) const fn summary(&self) -> ReplaySummary {
        self.summary
    }

    /// Applies a step whole, unless the node ends: then none of it, nor of any later one.
    pub(super) async fn apply(&mut self, step: DecodedStep) -> Result<(), Error> {
        let DecodedStep { segment, frames, ends_segment, mut memory } = step;
        if self.replay.state.is_draining() {
            return Ok(());
        }
        let frame_count = frames.len() as u64;
        for frame in frames {
            fault::reach(Point::ReplayFrame);
            self.apply_frame(segment, frame, &mut memory)?;
            // Others want this thread too.
            consume_budget().await;
        }
        if ends_segment {
            if fault::is_planted(Bug::DropDuringReplay) {
                self.replay.tracker.handed_over(segment);
            }
            self.replay.tracker.sealed(segment);
            self.replay.dropper.look();
            self.summary.segments += 1;
        }
        self.progress.advanced(frame_count, self.summary.batches, ends_segment);
        Ok(())
    }

    fn apply_frame(
        &mut self,
        segment: SegmentSeq,
        frame: DecodedFrame,
        memory: &mut Reservation,
    ) -> Result<(), Error> {
        let Replay { tree, tracker, .. } = self.replay;
        let DecodedFrame { lsns, database, batches } = frame;
        let mut lsn = lsns.first();
        for batch in batches {
            let table = batch.table.id;
            let unknown = || Error::UnknownTable { segment, lsns, table };
            self.summary.batches += 1;
            if self.persisted.hold(&batch, lsn).ok_or_else(unknown)? {
                self.summary.skipped += 1;
                tracker.skipped(segment, lsn);
                tree.seal_before_gap(table, batch.partition());
            } else {
                let part = memory.split(batch.batch.size_bytes());
                tracker.published(segment, batch.partition(), lsn);
                let database = Arc::clone(&database);
                tree.publish(DurableBatch { lsn, segment, database, batch, memory: part });
            }
            lsn = lsn.next();
        }
        Ok(())
    }
}
