//! Decodes the frames of a step, while others are decoded beside it.

use std::sync::Arc;

use tokio::sync::oneshot;
use types::batch::codec::DecodeError;
use types::effect::Pool;
use types::write::codec::decode_body;
use types::{DatabaseRef, LsnRange, PartitionBatch, Reservation, SegmentSeq};
use wal::Frame;

use super::reader::Step;
use crate::error::Error;

/// A frame as it was before it was appended.
#[derive(Debug)]
pub(super) struct DecodedFrame {
    pub(super) lsns: LsnRange,
    pub(super) database: Arc<DatabaseRef>,
    /// One a LSN, in their order.
    pub(super) batches: Vec<PartitionBatch>,
}

impl DecodedFrame {
    fn of(frame: &Frame) -> Result<Self, Error> {
        let (segment, lsns) = (frame.segment, frame.lsns);
        let unreadable = |source| Error::Frame { segment, lsns, source };
        let body = decode_body(&frame.body).map_err(unreadable)?;
        let expected = lsns.last().get() - lsns.first().get() + 1;
        if body.batches.len() as u64 != expected {
            let what = "a batch for each LSN";
            return Err(unreadable(DecodeError { what, at: frame.body.len() }));
        }
        Ok(Self { lsns, database: body.database, batches: body.batches })
    }
}

/// A step whose frames are decoded.
#[derive(Debug)]
pub(super) struct DecodedStep {
    pub(super) segment: SegmentSeq,
    pub(super) frames: Vec<DecodedFrame>,
    pub(super) ends_segment: bool,
    /// What all batches take.
    pub(super) memory: Reservation,
}

impl DecodedStep {
    fn of(step: Step, mut memory: Reservation) -> Result<Self, Error> {
        let Step { segment, frames, ends_segment, .. } = step;
        let decoded = frames.into_iter().map(|frame| DecodedFrame::of(&frame));
        let frames: Vec<DecodedFrame> = decoded.collect::<Result<_, _>>()?;
        let batches = frames.iter().flat_map(|frame| &frame.batches);
        memory.set_anyway(batches.map(|batch| batch.batch.size_bytes()).sum());
        Ok(Self { segment, frames, ends_segment, memory })
    }
}

/// A step that is being decoded.
#[derive(Debug)]
pub(super) struct Decoding(oneshot::Receiver<Result<DecodedStep, Error>>);

impl Decoding {
    /// Begins at once, whether or not somebody waits.
    pub(super) fn begin(pool: &dyn Pool, step: Step, memory: Reservation) -> Self {
        let (done, decoded) = oneshot::channel();
        pool.spawn(Box::new(move || {
            // Nobody wants to know any more if the node ends.
            let _ = done.send(DecodedStep::of(step, memory));
        }));
        Self(decoded)
    }

    pub(super) async fn ended(self) -> Result<DecodedStep, Error> {
        self.0.await.map_err(|_| Error::lost("decode the log"))?
    }
}
