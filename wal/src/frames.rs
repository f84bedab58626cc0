//! The frames of one segment, read back one at a time.

use std::fmt;
use std::path::{Path, PathBuf};

use types::effect::{Access, Disk, DiskFile};
use types::fault::{self, Bug};
use types::{BatchId, LsnRange, SegmentSeq};

use crate::classify::{Flaw, Voucher, Why};
use crate::disk::Operation;
use crate::error::Error;
use crate::format::{Body, FrameHeader, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::scan::{Found, Start, Step, Window, read_start, read_step};

/// One frame, as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The segment it stands in.
    pub segment: SegmentSeq,
    /// The LSNs of its batches.
    pub lsns: LsnRange,
    /// The client's own id of the request; nil where it gave none.
    pub batch_id: BatchId,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

/// Yields the frames of a segment up to a known end; seals are stepped over. Holds one frame at a
/// time, and checks all of it again: the segment was read before, but not these very bytes.
pub struct Frames {
    path: PathBuf,
    window: Window<Box<dyn DiskFile>>,
    header: SegmentHeader,
    raw_len_max: u32,
    at: u64,
    end: u64,
}

impl Frames {
    /// The frames of the segment at `path` that lie before `end`.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        end: u64,
        raw_len_max: u32,
    ) -> Result<Self, Error> {
        let file = disk.open(path, Access::Read).map_err(Error::io(Operation::Open, path))?;
        let mut window = Window::new(file).map_err(Error::io(Operation::Read, path))?;
        let start = read_start(&mut window).map_err(Error::io(Operation::Read, path))?;
        let why = match start {
            Start::Header(header) => {
                let at = SEGMENT_HEADER_LEN as u64;
                return Ok(Self { path: path.to_owned(), window, header, raw_len_max, at, end });
            }
            Start::Bad(fault) => Why::of_header(fault),
            Start::Unused => Why::SegmentHeader,
        };
        Err(Error::Corrupt { path: path.to_owned(), offset: 0, why })
    }

    /// The next frame's place and header; `None` at the end.
    pub(crate) fn step(&mut self) -> Result<Option<Found>, Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        let step = read_step(&mut self.window, self.at, self.header.salt, self.raw_len_max)
            .map_err(Error::io(Operation::Read, &self.path))?;
        let why = match step {
            Step::Frame(found) => {
                self.at = found.end();
                return Ok(Some(found));
            }
            Step::Nonsense => Why::Nonsense,
            Step::TooLong(raw_len) => Why::TooLong { raw_len, max: self.raw_len_max },
            Step::End => self.rotten(Flaw::ShortHeader),
            Step::Zeros => self.rotten(Flaw::NoFrame),
            Step::Bad { flaw, .. } => self.rotten(flaw),
        };
        Err(self.corrupt(self.at, why))
    }

    /// Reads and decodes the body of `found`.
    pub(crate) fn body(&mut self, found: &Found) -> Result<Vec<u8>, Error> {
        let FrameHeader { comp_len, raw_len, compressed, body_crc, .. } = found.header;
        let bytes = self
            .window
            .vec(found.body_at(), u64::from(comp_len))
            .map_err(Error::io(Operation::Read, &self.path))?;
        // Checked again, because these bytes were read after the ones that were checked.
        if crc32fast::hash(&bytes) != body_crc && !fault::is_planted(Bug::IgnoreChecksum) {
            return Err(self.corrupt(found.at, self.rotten(Flaw::BodyChecksum)));
        }
        Body::decode(bytes, raw_len, compressed)
            .ok_or_else(|| self.corrupt(found.at, Why::Undecodable))
    }

    /// A frame within the known end was found whole before.
    fn rotten(&self, flaw: Flaw) -> Why {
        let voucher = Voucher::Segment(self.header.name());
        Why::Rotten { flaw, voucher }
    }

    fn corrupt(&self, offset: u64, why: Why) -> Error {
        Error::Corrupt { path: self.path.clone(), offset, why }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        while let Some(found) = self.step()? {
            if let Some(lsns) = found.header.lsns() {
                let (segment, batch_id) = (self.header.seq, found.header.batch_id);
                return Ok(Some(Frame { segment, lsns, batch_id, body: self.body(&found)? }));
            }
        }
        Ok(None)
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_frame().transpose();
        if matches!(next, Some(Err(_))) {
            // Nothing behind damage can be told apart from it.
            self.at = self.end;
        }
        next
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("path", &self.path)
            .field("at", &self.at)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
