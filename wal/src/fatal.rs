//! The end of the process, as an effect.

use std::fmt::Debug;

use crate::error::Error;

/// The exit code after an I/O error of the log or the catalog.
pub const EXIT_IO: i32 = 74;

/// The exit code after a panic on a thread that the process cannot do without.
pub const EXIT_INTERNAL: i32 = 70;

/// Ends the process when the log cannot promise anything any more.
///
/// A failed fsync is never retried: the kernel marks the pages clean though they never reached the
/// disk, and the next fsync succeeds (Rebello et al., "Can Applications Recover from fsync
/// Failures?", 2020). Only the log's thread releases those who wait for an answer, and it ends
/// here, so nobody gets one that is not true.
pub trait Fatal: Debug + Send + Sync {
    /// Ends the process at once. An implementation for tests may panic instead.
    fn end(&self, error: &Error) -> !;
}

/// The real one: a line in the log, then the exit, with no handler run.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitProcess;

impl Fatal for ExitProcess {
    fn end(&self, error: &Error) -> ! {
        let code = exit_code(error);
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, source, code, "the log cannot go on, ending the process");
        signal_hook::low_level::exit(code)
    }
}

const fn exit_code(error: &Error) -> i32 {
    match error {
        Error::Panicked { .. } => EXIT_INTERNAL,
        _ => EXIT_IO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_from_an_io_error() {
        assert_eq!(exit_code(&Error::Panicked { message: String::new() }), 70);
        assert_eq!(exit_code(&Error::DiskFull), 74);
    }
}
