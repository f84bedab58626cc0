//! The publisher: hands durable batches inwards, in LSN order, and then answers those who wait.
//!
//! It runs on the log's thread, between two groups, so there is one of it and no hand-off costs a
//! wake-up; it never waits.

use std::mem;
use std::sync::Arc;

use tokio::sync::oneshot;
use types::Lsn;
use types::fault::{self, Bug, Point};
use types::seam::{DmlError, DurableBatch, Publish};
use wal::{CommitObserver, CommittedFrame, Group, SealedSegment};

use crate::metrics::WalMetrics;
use crate::published::PublishedLsn;
use crate::retry_after::RetryAfter;
use crate::wal_appender::{PendingWrite, refusal};
use crate::wal_tracker::WalTracker;

/// Hears that segments may have become droppable; it must not wait.
pub(crate) trait SegmentSealed: Send + Sync + std::fmt::Debug {
    /// The log sealed a segment.
    fn segment_sealed(&self);
}

/// Publishes what the log's thread made durable.
#[derive(Debug)]
pub(crate) struct Publisher<P> {
    pub(crate) inner: Arc<P>,
    pub(crate) tracker: Arc<WalTracker>,
    pub(crate) published: PublishedLsn,
    pub(crate) sealed: Arc<dyn SegmentSealed>,
    pub(crate) metrics: Arc<WalMetrics>,
    /// Tells those whom the full disk met in the queue when to come back.
    pub(crate) retry: RetryAfter,
    /// Answers that wait for the disk, where what is not durable yet is published by mistake.
    pub(crate) held: Vec<Answer>,
}

/// The last LSN of a write, and who waits for it.
pub(crate) type Answer = (Lsn, oneshot::Sender<Result<Lsn, DmlError>>);

impl<P: Publish> Publisher<P> {
    /// Publishes the batches of one frame and returns its last LSN.
    fn publish_frame(
        &self,
        segment: types::SegmentSeq,
        frame: CommittedFrame<PendingWrite>,
    ) -> Answer {
        let PendingWrite { database, batches, mut memory, done } = frame.payload;
        let mut lsn = frame.lsns.first();
        for batch in batches {
            let size = batch.batch.size_bytes();
            let mut part = memory.split(size);
            // What was reserved is an estimate; from here on the rows count as they are.
            part.set_anyway(size);
            self.tracker.published(segment, batch.partition(), lsn);
            let database = Arc::clone(&database);
            self.inner.publish(DurableBatch { lsn, segment, database, batch, memory: part });
            lsn = lsn.next();
        }
        assert_eq!(lsn, frame.lsns.last().next(), "a frame has one LSN for each of its batches");
        // The encoded body is on the disk and gone.
        drop(memory);
        (frame.lsns.last(), done)
    }
}

impl<P: Publish + 'static> CommitObserver<PendingWrite> for Publisher<P> {
    fn committed(&mut self, group: Group<PendingWrite>) {
        self.metrics.committed(&group);
        let mut answers = Vec::with_capacity(group.frames.len());
        let mut frames = group.frames;
        if fault::is_planted(Bug::PublishOutOfOrder) {
            frames.reverse();
        }
        for frame in frames {
            answers.push(self.publish_frame(group.segment, frame));
        }
        if let Some(last) = answers.iter().map(|(lsn, _)| *lsn).max() {
            self.published.raise(last);
        }
        fault::reach(Point::AnswerBefore);
        if fault::is_planted(Bug::PublishBeforeFsync) {
            self.held.extend(answers);
        } else {
            answer(answers);
        }
    }

    fn synced(&mut self) {
        answer(mem::take(&mut self.held));
    }

    fn refused(&mut self, write: PendingWrite, error: &wal::Error) {
        let _ = write.done.send(Err(refusal(error, &self.retry)));
    }

    fn sealed(&mut self, segment: &SealedSegment) {
        self.tracker.sealed(segment.seq);
        self.sealed.segment_sealed();
    }
}

fn answer(answers: Vec<Answer>) {
    for (lsn, done) in answers {
        // A client that went away stops nothing: the write is durable and visible all the same.
        let _ = done.send(Ok(lsn));
    }
}
