//! The one segment that is written to.

use types::LsnRange;
use types::effect::DiskFile;

use crate::format::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::segment::{SegmentName, SegmentSummary};

/// A named segment and how far it is filled. Everything before `end` is durable.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: SegmentHeader,
    end: u64,
    frames: u64,
    lsns: Option<LsnRange>,
    sealed: bool,
}

impl OpenSegment {
    pub(crate) fn new(file: Box<dyn DiskFile>, header: SegmentHeader) -> Self {
        let end = SEGMENT_HEADER_LEN as u64;
        Self { file, header, end, frames: 0, lsns: None, sealed: false }
    }

    pub(crate) const fn name(&self) -> SegmentName {
        self.header.name()
    }

    /// Where the next frame goes.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    pub(crate) const fn has_frames(&self) -> bool {
        self.lsns.is_some()
    }

    /// True if nothing came behind the last seal.
    pub(crate) const fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Counts `frames` frames of `bytes` bytes that are durable now.
    pub(crate) fn grow(&mut self, bytes: u64, frames: u64, lsns: LsnRange) {
        self.end += bytes;
        self.frames += frames;
        self.lsns = Some(self.lsns.map_or(lsns, |before| before.hull(lsns)));
        self.sealed = false;
    }

    /// Leaves `bytes` bytes out, though nothing that counts is in them.
    pub(crate) const fn skip(&mut self, bytes: u64) {
        self.end += bytes;
    }

    /// Counts a seal of `bytes` bytes that is durable now.
    pub(crate) const fn grow_by_seal(&mut self, bytes: u64) {
        self.end += bytes;
        self.sealed = true;
    }

    pub(crate) fn summary(&self) -> SegmentSummary {
        SegmentSummary {
            seq: self.header.seq,
            epoch: self.header.epoch,
            lsns: self.lsns,
            frames: self.frames,
            bytes: self.end,
            torn: None,
        }
    }
}
