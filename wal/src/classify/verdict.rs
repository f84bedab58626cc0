//! What a log can turn out to be, and why.

use std::fmt;

use types::{Epoch, Lsn};

use crate::format::SegmentHeaderFault;
use crate::segment::SegmentName;

/// A byte of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's file.
    pub segment: SegmentName,
    /// The offset in it.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.segment, self.offset)
    }
}

/// What the bytes of a log amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whole frames to the last byte.
    Valid,
    /// Whole frames, then zeros that were never used.
    CleanEnd,
    /// Whole frames, then what a crash left of a group that nobody was told of.
    TornTail {
        /// Where the whole frames end.
        at: Place,
    },
    /// Bytes that were durable are not what was written.
    Corrupt {
        /// The first bad byte, as far as it can be told.
        at: Place,
        /// What is wrong there.
        why: Why,
    },
}

/// How bytes fail to be a frame in a way that a crash can cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The file ends within the header.
    ShortHeader,
    /// There is something, but no frame begins here.
    NoFrame,
    /// The header's checksum is wrong.
    HeaderChecksum,
    /// The file ends within the body.
    ShortBody,
    /// The body's checksum is wrong.
    BodyChecksum,
}

/// Who knows that bytes were durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// A frame that was written after a later sync.
    Frame(Place),
    /// A segment that got its name after all before it was synced.
    Segment(SegmentName),
    /// A commit in the catalog.
    Catalog(Lsn),
}

/// Why a log is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The segment's header is damaged.
    SegmentHeader,
    /// The segment is of a version that this program does not know.
    UnknownVersion(u16),
    /// The header tells another name than the file has.
    WrongName(SegmentName),
    /// Two files have the same number.
    SameNumber(SegmentName),
    /// The segments before it belong to another log.
    AnotherLog,
    /// The epoch is below that of a segment before.
    EpochFell(Epoch),
    /// A frame carries another epoch than its segment.
    WrongEpoch(Epoch),
    /// The checksums are right, and the header of the frame or the segment contradicts itself, or
    /// has something in its reserved bytes.
    Nonsense,
    /// The checksums are right, and the body claims to be longer than is allowed.
    TooLong {
        /// The length it claims.
        raw_len: u32,
        /// The limit.
        max: u32,
    },
    /// A frame follows another LSN than the one that stands before it.
    LsnGap {
        /// The LSN expected.
        expected: Lsn,
        /// The LSN found.
        found: Lsn,
    },
    /// A frame follows another frame than the one that stands before it.
    BrokenChain,
    /// A frame is damaged that was durable once.
    Rotten {
        /// How.
        flaw: Flaw,
        /// Who knows.
        voucher: Voucher,
    },
    /// The log ends before an LSN that was committed.
    Missing {
        /// The LSN expected next.
        expected: Lsn,
        /// The LSN that the catalog knows.
        known: Lsn,
    },
    /// No frame is in the segment, though a later one was begun.
    Emptied(SegmentName),
    /// Zeros follow a frame that is no seal, though a later segment was begun.
    Unsealed(SegmentName),
    /// The body's checksum is right, but it cannot be decompressed into the length it claims.
    Undecodable,
}

impl Why {
    /// What is wrong with a segment whose header has this fault.
    pub(crate) const fn of_header(fault: SegmentHeaderFault) -> Self {
        match fault {
            SegmentHeaderFault::Damaged => Self::SegmentHeader,
            SegmentHeaderFault::Version(version) => Self::UnknownVersion(version),
            SegmentHeaderFault::Nonsense => Self::Nonsense,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShortHeader => "the file ends within a frame header",
            Self::NoFrame => "no frame begins here",
            Self::HeaderChecksum => "the checksum of a frame header is wrong",
            Self::ShortBody => "the file ends within a frame body",
            Self::BodyChecksum => "the checksum of a frame body is wrong",
        })
    }
}

impl fmt::Display for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(place) => write!(f, "the frame in {place}"),
            Self::Segment(name) => write!(f, "segment {name}"),
            Self::Catalog(lsn) => write!(f, "the catalog, which knows LSN {lsn},"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SegmentHeader => f.write_str("the segment header is damaged"),
            Self::UnknownVersion(version) => write!(f, "format version {version} is unknown"),
            Self::WrongName(name) => write!(f, "the header says that this is {name}"),
            Self::SameNumber(name) => write!(f, "{name} has the same number"),
            Self::AnotherLog => f.write_str("the segment belongs to another log"),
            Self::EpochFell(epoch) => write!(f, "an earlier segment has epoch {epoch}"),
            Self::WrongEpoch(epoch) => write!(f, "a frame carries epoch {epoch}"),
            Self::Nonsense => f.write_str("a header says what no writer says"),
            Self::TooLong { raw_len, max } => {
                write!(f, "a frame claims {raw_len} bytes, over the limit of {max}")
            }
            Self::LsnGap { expected, found } => {
                write!(f, "a frame begins with LSN {found} where {expected} was expected")
            }
            Self::BrokenChain => f.write_str("a frame does not follow the one before it"),
            Self::Rotten { flaw, voucher } => {
                write!(f, "{flaw}, but {voucher} shows that it was durable")
            }
            Self::Missing { expected, known } => {
                write!(f, "LSN {expected} should follow, because the catalog knows LSN {known}")
            }
            Self::Emptied(next) => {
                write!(f, "there is no frame, but {next} was begun after it")
            }
            Self::Unsealed(next) => {
                write!(f, "zeros follow a frame that is no seal, but {next} was begun after it")
            }
            Self::Undecodable => f.write_str("a frame body does not decompress"),
        }
    }
}
