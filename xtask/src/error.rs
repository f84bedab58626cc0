//! What can end a task.

use std::io;

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
        /// The scenarios that found something, or could not be run.
        scenarios: String,
    },
    /// Some test failed.
    #[error("tests failed")]
    TestsFailed,
}
