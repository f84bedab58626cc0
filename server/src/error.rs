//! What can end a command, and with which exit code.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use types::{LsnRange, SegmentSeq};

use crate::exit::Code;

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// Flags contradict each other or the machine.
    #[error("{}", faults.join("; "))]
    BadFlags {
        /// All that is wrong.
        faults: Vec<String>,
    },
    /// The threads of the runtime could not be started.
    #[error("cannot start the runtime")]
    Runtime {
        /// What the system said.
        source: io::Error,
    },
    /// What is to be sent could not be read.
    #[error("cannot read {}", path.display())]
    Input {
        /// The file, or `-`.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What there is to say could not be written to standard output.
    #[error("cannot write the output")]
    Output {
        /// What the system said.
        source: io::Error,
    },
    /// The server could not be reached, or the connection was lost.
    #[error("no answer from {host}")]
    Connection {
        /// Where it should be.
        host: String,
        /// What went wrong.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server refused, and a repetition would not help.
    #[error("{host} refused: {message}")]
    Refused {
        /// The server.
        host: String,
        /// What it said.
        message: String,
    },
    /// The server is starting or ending.
    #[error("{host} is not ready: {message}")]
    NotReady {
        /// The server.
        host: String,
        /// What it is doing.
        message: String,
    },
    /// Time was up before the server took it.
    #[error("{host} has not taken it after {tries} tries: {reason}")]
    GaveUp {
        /// The server.
        host: String,
        /// How often it was asked.
        tries: u32,
        /// What it said last.
        reason: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Wal(#[from] wal::Error),
    /// There is nothing to look at.
    #[error("there is no log in {}; a data directory has them in wal and catalog/log", dir.display())]
    NoLog {
        /// The directory.
        dir: PathBuf,
    },
    /// A frame of the log has a good checksum, but its body is not one that is known.
    #[error("frame {lsns} of segment {segment} has a body that cannot be read")]
    Body {
        /// Its segment.
        segment: SegmentSeq,
        /// Its LSNs.
        lsns: LsnRange,
        /// Where in the body, and what.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server ended.
    #[error(transparent)]
    Serve(#[from] crate::serve::Error),
}

impl Error {
    /// How the process ends.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::BadFlags { .. } => Code::Usage,
            Self::NotReady { .. } => Code::TryAgain,
            Self::Body { .. } => Code::Corrupt,
            Self::Wal(error) => error.into(),
            Self::Serve(error) => error.code(),
            _ => Code::Failure,
        }
    }

    /// True if whoever read the output has enough of it, such as `head`.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

#[cfg(test)]
mod tests {
    use types::error::chain;

    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let error = Error::Input { path: "flights.lp".into(), source };
        assert_eq!(chain(&error), "cannot read flights.lp: entity not found");
        assert_eq!(error.code(), Code::Failure);
    }

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        let source = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Error::Output { source }.is_closed_pipe());
    }
}
