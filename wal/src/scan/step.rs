//! One step of a walk along a segment: its header, then what stands at an offset.

use std::io;

use types::fault::{self, Bug};

use super::window::Window;
use crate::classify::Flaw;
use crate::disk::ReadAt;
use crate::format::{
    FRAME_HEADER_LEN, FrameHeader, HeaderFault, Link, SEGMENT_HEADER_LEN, SegmentHeader,
    SegmentHeaderFault,
};

/// What a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A segment's header.
    Header(SegmentHeader),
    /// Nothing, zeros, or less than a header: it was never used.
    Unused,
    /// A whole header that is not right. Headers are synced before a segment gets its name, so no
    /// crash leaves this.
    Bad(SegmentHeaderFault),
}

/// A frame whose checksums are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) at: u64,
    pub(crate) header: FrameHeader,
    /// What the next frame has to carry.
    pub(crate) link: Link,
}

impl Found {
    /// Where the body begins.
    pub(crate) const fn body_at(&self) -> u64 {
        self.at.saturating_add(FRAME_HEADER_LEN as u64)
    }

    /// Where the next frame begins.
    pub(crate) fn end(&self) -> u64 {
        self.at.saturating_add(self.header.frame_len())
    }
}

/// What stands at an offset where a frame may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Frame(Found),
    /// The file ends here.
    End,
    /// Zeros to the end of the file.
    Zeros,
    /// Not a frame; a crash can leave this.
    Bad {
        /// What is wrong with it.
        flaw: Flaw,
        /// Its header, if that is whole.
        header: Option<FrameHeader>,
    },
    /// A right checksum over a header that contradicts itself; no crash leaves this.
    Nonsense,
    /// A right checksum over a raw length that is above the limit.
    TooLong(u32),
}

/// Reads what a file begins with.
pub(crate) fn read_start<S: ReadAt>(window: &mut Window<S>) -> io::Result<Start> {
    let Some(bytes) = window.array::<SEGMENT_HEADER_LEN>(0)? else {
        return Ok(Start::Unused);
    };
    match SegmentHeader::decode(&bytes) {
        Ok(header) => Ok(Start::Header(header)),
        Err(_) if window.is_zero_from(0)? => Ok(Start::Unused),
        Err(fault) => Ok(Start::Bad(fault)),
    }
}

/// Reads what stands at `at`, in the order that trusts nothing early: header checksum, lengths
/// against what is there and what is allowed, body checksum.
pub(crate) fn read_step<S: ReadAt>(
    window: &mut Window<S>,
    at: u64,
    salt: u64,
    raw_len_max: u32,
) -> io::Result<Step> {
    if window.rest(at) == 0 {
        return Ok(Step::End);
    }
    let Some(bytes) = window.array::<FRAME_HEADER_LEN>(at)? else {
        return zeros_or(window, at, Flaw::ShortHeader);
    };
    let (header, link) = match FrameHeader::decode(&bytes, salt) {
        Ok(decoded) => decoded,
        Err(HeaderFault::Magic) => return zeros_or(window, at, Flaw::NoFrame),
        Err(HeaderFault::Crc) => return Ok(bad(Flaw::HeaderChecksum, None)),
        Err(HeaderFault::Nonsense) => return Ok(Step::Nonsense),
    };
    if header.raw_len > raw_len_max {
        return Ok(Step::TooLong(header.raw_len));
    }
    let found = Found { at, header, link };
    match window.crc(found.body_at(), u64::from(header.comp_len))? {
        Some(crc) if crc == header.body_crc || fault::is_planted(Bug::IgnoreChecksum) => {
            Ok(Step::Frame(found))
        }
        Some(_) => Ok(bad(Flaw::BodyChecksum, Some(header))),
        None => Ok(bad(Flaw::ShortBody, Some(header))),
    }
}

fn zeros_or<S: ReadAt>(window: &mut Window<S>, at: u64, flaw: Flaw) -> io::Result<Step> {
    Ok(if window.is_zero_from(at)? { Step::Zeros } else { bad(flaw, None) })
}

const fn bad(flaw: Flaw, header: Option<FrameHeader>) -> Step {
    Step::Bad { flaw, header }
}
