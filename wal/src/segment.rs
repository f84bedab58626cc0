//! A segment as others see it: its name, its summary, its end.

use std::fmt;

use types::{Epoch, LsnRange, SegmentSeq};

/// The ending of a segment's file name.
const ENDING: &str = ".wal";
/// What is added to a segment's file name for the bytes that recovery cut off.
const TORN_ENDING: &str = ".torn";
/// What is added to the name of a segment that never came to hold a frame.
const UNUSED_ENDING: &str = ".unused";

/// The name of a segment's file: `<epoch>-<number of 20 digits>.wal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The segment's number; it leads the order.
    pub seq: SegmentSeq,
    /// The epoch that wrote it.
    pub epoch: Epoch,
}

impl SegmentName {
    /// Reads a file name; `None` for anything that this crate would not have written.
    pub fn parse(name: &str) -> Option<Self> {
        let (epoch, seq) = name.strip_suffix(ENDING)?.split_once('-')?;
        let parsed = Self {
            seq: SegmentSeq::new(seq.parse().ok()?),
            epoch: Epoch::new(epoch.parse().ok()?),
        };
        // Only the one spelling counts, so that no two names mean the same segment.
        (parsed.to_string() == name).then_some(parsed)
    }

    /// The name of the file with the bytes that recovery cut off.
    pub(crate) fn torn(self) -> String {
        format!("{self}{TORN_ENDING}")
    }

    /// The segment whose [`SegmentName::torn`] `name` is.
    pub(crate) fn parse_torn(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(TORN_ENDING)?)
    }

    /// The name of a segment without frames: it keeps the number until the next one has its own.
    pub(crate) fn unused(self) -> String {
        format!("{self}{UNUSED_ENDING}")
    }

    /// The segment whose [`SegmentName::unused`] `name` is.
    pub(crate) fn parse_unused(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(UNUSED_ENDING)?)
    }

    /// The number in any name that ever belonged to a segment, torn and unused ones included.
    pub(crate) fn seq_in(name: &str) -> Option<SegmentSeq> {
        let endings = [TORN_ENDING, UNUSED_ENDING];
        let segment = endings.into_iter().find_map(|ending| name.strip_suffix(ending));
        Self::parse(segment.unwrap_or(name)).map(|name| name.seq)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:020}{ENDING}", self.epoch.get(), self.seq.get())
    }
}

/// The bytes behind the last whole frame of a segment, which a crash left and recovery cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where they began.
    pub at: u64,
    /// How many, up to the last that is not zero.
    pub bytes: u64,
}

/// The torn tails that one recovery met: what a crash left, and nobody was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TornTails {
    /// How many segments ended in one.
    pub count: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
}

impl TornTails {
    /// Those of `segments`.
    pub(crate) fn of(segments: &[SegmentSummary]) -> Self {
        let torn = segments.iter().filter_map(|segment| segment.torn);
        torn.fold(Self::default(), |sum, torn| Self {
            count: sum.count + 1,
            bytes: sum.bytes + torn.bytes,
        })
    }
}

/// The bytes of a torn tail, kept in a file beside the segment that they were cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptTail {
    /// The segment; it may be dropped since.
    pub segment: SegmentName,
    /// The bytes kept.
    pub bytes: u64,
}

impl KeptTail {
    /// The name of the file.
    pub fn file_name(&self) -> String {
        self.segment.torn()
    }
}

/// What there is to know about a segment without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSummary {
    /// The segment's number.
    pub seq: SegmentSeq,
    /// The epoch that wrote it.
    pub epoch: Epoch,
    /// The LSNs of its frames; `None` if it has none.
    pub lsns: Option<LsnRange>,
    /// Frames with batches; seals do not count.
    pub frames: u64,
    /// Bytes up to the end of the last frame.
    pub bytes: u64,
    /// What recovery cut off.
    pub torn: Option<Torn>,
}

impl SegmentSummary {
    /// The name of its file.
    pub const fn name(&self) -> SegmentName {
        SegmentName { seq: self.seq, epoch: self.epoch }
    }
}

/// A segment that will not change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    /// The segment's number.
    pub seq: SegmentSeq,
    /// The LSNs of its frames; `None` if it has none.
    pub lsns: Option<LsnRange>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_of_a_name_is_read() {
        let name = SegmentName { seq: SegmentSeq::new(7), epoch: Epoch::new(3) };
        assert_eq!(name.to_string(), "3-00000000000000000007.wal");
        assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        for wrong in
            ["3-7.wal", "03-00000000000000000007.wal", "+3-00000000000000000007.wal", "x", ""]
        {
            assert_eq!(SegmentName::parse(wrong), None, "{wrong}");
        }
        assert_eq!(SegmentName::seq_in(&name.torn()), Some(name.seq));
        assert_eq!(SegmentName::seq_in(&name.unused()), Some(name.seq));
        assert_eq!(SegmentName::parse_unused(&name.unused()), Some(name));
        assert_eq!(SegmentName::parse_torn(&name.torn()), Some(name));
        assert_eq!(SegmentName::parse_torn(&name.unused()), None);
        assert_eq!(SegmentName::parse(&name.unused()), None);
    }
}
