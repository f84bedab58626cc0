//! What is wrong with stored bytes, and where.

use std::{fmt, io};

use types::{CatalogVersion, Lsn};

use crate::error::Error;

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many bytes from its beginning.
    Offset(u64),
    /// The record of the log that holds this LSN.
    Lsn(Lsn),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "offset {offset}"),
            Self::Lsn(lsn) => write!(f, "LSN {lsn}"),
        }
    }
}

/// What is wrong there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The first line is not a header.
    #[error("the first line is not a header")]
    Header,
    /// A later version of this program wrote it.
    #[error("format {found} is newer than {newest}, the newest that this version reads")]
    UnknownFormat {
        /// The format that the bytes claim.
        found: u32,
        /// The newest format that is read here.
        newest: u32,
    },
    /// The number of the format was damaged: what follows is of the format that is written here.
    #[error("the header says format {found}, and what follows it is of format {ours}")]
    Format {
        /// The format that the bytes claim.
        found: u32,
        /// The format that they have.
        ours: u32,
    },
    /// The file is not as long as its header says.
    #[error("{found} bytes follow the header, which says {expected}")]
    Length {
        /// What the header says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The bytes are not those that were written.
    #[error(
        "the checksum of what follows the header is {found:08x}, and the header says {expected:08x}"
    )]
    Checksum {
        /// What the header says.
        expected: u32,
        /// What is there.
        found: u32,
    },
    /// Whole bytes that are not what this format holds.
    #[error("line {line} is not what the format holds")]
    Text {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// Whole text that contradicts itself.
    #[error("{what} stands there twice or in the wrong place")]
    Contradiction {
        /// The entry.
        what: String,
    },
    /// Commits are missing before this place.
    #[error("version {found} follows version {last}, and what was between them is gone")]
    Gap {
        /// The last version that is whole.
        last: CatalogVersion,
        /// The version found next.
        found: CatalogVersion,
    },
    /// The log ends before a version that was durable.
    #[error("version {named} was durable, and the log ends at version {last}")]
    LogEndsEarly {
        /// The version in the name of a snapshot.
        named: CatalogVersion,
        /// The last version that is whole.
        last: CatalogVersion,
    },
    /// A command that was accepted once is refused now.
    #[error("a command that was accepted is refused")]
    Refused {
        /// The refusal.
        source: Box<Error>,
    },
    /// A command that was applied once is taken for a repetition now, or their number is wrong.
    #[error("the record holds other commands than were committed")]
    OtherCommands,
}

impl Damage {
    /// True if the disk must have done it: the bytes are not those that were written. All else was
    /// written so, and another copy of it says the same.
    pub(crate) const fn is_rot(&self) -> bool {
        matches!(
            self,
            Self::Header | Self::Format { .. } | Self::Length { .. } | Self::Checksum { .. }
        )
    }
}

/// What the system says of bytes that the disk does not give back: `EIO`, or `EBADMSG` and `EUCLEAN`
/// where the file system found them wrong.
const UNREADABLE: [i32; 3] = [5, 74, 117];

/// True if the disk cannot read what is there. Another copy can be read; with a lack of rights or of
/// descriptors there is nothing wrong with the bytes.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|errno| UNREADABLE.contains(&errno))
}
