//! What keeps a scenario from being run to its end. What it finds out is in its report.

use std::io;
use std::time::Duration;

/// A scenario could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something that the scenario itself does.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// Something hangs.
    #[error("{what} took longer than {patience:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        patience: Duration,
    },
    /// The server ended while something was waited for.
    #[error("the server has ended with code {code:?}: {told}")]
    Ended {
        /// The last lines of its log.
        told: String,
        /// Its exit code; a signal leaves none.
        code: Option<i32>,
    },
    /// Another program failed.
    #[error("{program} failed: {told}")]
    Program {
        /// Its command line.
        program: String,
        /// What it said.
        told: String,
    },
    /// The server answered a query with what cannot be right, or told of damage that nobody has done.
    #[error("{what}: {reason}")]
    Wrong {
        /// What was asked.
        what: String,
        /// What came.
        reason: String,
    },
    /// The server answered, or did not, in a way that the scenario cannot go on from.
    #[error("{what}: {reason}")]
    Answer {
        /// What was asked.
        what: String,
        /// What came.
        reason: String,
    },
}

impl Error {
    pub(crate) fn answer(what: impl Into<String>, reason: &impl ToString) -> Self {
        Self::Answer { what: what.into(), reason: reason.to_string() }
    }
}

/// Says what an operation was for, should it fail.
pub(crate) trait During<T> {
    /// Reads as: cannot `what`.
    fn during(self, what: impl Into<String>) -> Result<T, Error>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { what: what.into(), source })
    }
}
