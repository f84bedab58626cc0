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
    /// Some test failed.
    #[error("tests failed")]
    TestsFailed,
}
