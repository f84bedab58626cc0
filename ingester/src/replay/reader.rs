//! Reads the log, a step of frames at a time.

use std::vec::IntoIter;

use types::SegmentSeq;
use wal::{Frame, Frames, LogHandle, SegmentSummary};

use super::pace::DECODED_PER_RAW;
use crate::error::Error;
use crate::wal_appender::PendingWrite;

/// Frames of one step: where they are small, so that it ends in some milliseconds all the same.
const FRAMES_MAX: usize = 4_096;

/// Frames of one segment that were read and checked together.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) segment: SegmentSeq,
    pub(super) frames: Vec<Frame>,
    /// True if the segment has no more.
    pub(super) ends_segment: bool,
    /// Bytes of the bodies.
    bytes: u64,
}

impl Step {
    /// Bytes that the rows will take, as far as it can be told.
    pub(super) const fn bytes_decoded(&self) -> u64 {
        self.bytes.saturating_mul(DECODED_PER_RAW)
    }
}

/// Reads segments one after the other; blocks.
#[derive(Debug)]
pub(super) struct LogReader {
    log: LogHandle<PendingWrite>,
    left: IntoIter<SegmentSeq>,
    /// The segment that is read now.
    open: Option<(SegmentSeq, Frames)>,
    step_bytes: u64,
}

impl LogReader {
    pub(super) fn new(
        log: LogHandle<PendingWrite>,
        segments: &[SegmentSummary],
        step_bytes: u64,
    ) -> Self {
        let left: Vec<SegmentSeq> = segments.iter().map(|segment| segment.seq).collect();
        Self { log, left: left.into_iter(), open: None, step_bytes }
    }

    /// The next frames; `None` behind the last segment.
    pub(super) fn step(&mut self) -> Result<Option<Step>, Error> {
        let Some((segment, mut left)) = self.segment()? else { return Ok(None) };
        let mut step = Step { segment, frames: Vec::new(), ends_segment: false, bytes: 0 };
        while step.bytes < self.step_bytes && step.frames.len() < FRAMES_MAX {
            let Some(frame) = left.next() else {
                step.ends_segment = true;
                return Ok(Some(step));
            };
            let frame = frame?;
            step.bytes += frame.body.len() as u64;
            step.frames.push(frame);
        }
        self.open = Some((segment, left));
        Ok(Some(step))
    }

    /// The segment that is read now, or the next.
    fn segment(&mut self) -> Result<Option<(SegmentSeq, Frames)>, Error> {
        if let Some(open) = self.open.take() {
            return Ok(Some(open));
        }
        let Some(next) = self.left.next() else { return Ok(None) };
        Ok(Some((next, self.log.frames(next)?)))
    }
}
