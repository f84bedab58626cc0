//! What can end a task.

use std::io;
use std::path::Path;

/// The errors of this program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// There is no such task.
    #[error("unknown task")]
    Usage,
    /// A program could not be started.
    #[error("cannot run {program}: {reason}")]
    Start {
        /// Its command line.
        program: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A program failed.
    #[error("{program} failed")]
    Failed {
        /// Its command line.
        program: String,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// Its name.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A thread of this program panicked.
    #[error("a thread panicked")]
    Panicked,
    /// A file could not be written.
    #[error("cannot write {path}: {reason}")]
    Write {
        /// Its name.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The evidence speaks against the program.
    #[error("not clean: {scenarios}")]
    Broken {
        /// The jobs that found something, or could not be run.
        scenarios: String,
    },
    /// Some test failed.
    #[error("tests failed")]
    TestsFailed,
}

impl Error {
    /// For what writing to `path` may fail with.
    pub(crate) fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.display().to_string();
        |reason| Self::Write { path, reason }
    }

    /// For what reading from `path` may fail with.
    pub(crate) fn unread(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.display().to_string();
        |reason| Self::Read { path, reason }
    }
}
