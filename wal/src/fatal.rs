//! The end of the process, as an effect.

use std::fmt::Debug;
use std::time::Duration;

use crate::error::Error;

/// The exit code after an I/O error of the log or the catalog.
pub const EXIT_IO: i32 = 74;

/// The exit code after a panic on a thread that the process cannot do without.
pub const EXIT_INTERNAL: i32 = 70;

/// How long the last line in the log may take: whoever reads stderr may have stopped reading.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

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

/// The real one: a line in the log, then the exit, with no handler run. A line that cannot be
/// written does not hold the exit up.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitProcess;

impl Fatal for ExitProcess {
    #[allow(clippy::disallowed_methods, reason = "this is the real end of the process")]
    fn end(&self, error: &Error) -> ! {
        let code = exit_code(error);
        let watch = std::thread::Builder::new().name("wal-exit".to_owned());
        // Without a thread the line is tried all the same: mostly it can be written.
        let _ = watch.spawn(move || {
            std::thread::sleep(LAST_WORDS_MAX);
            signal_hook::low_level::exit(code)
        });
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
    use std::process::{Command, Stdio};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Takes no line, as a pipe that is full and that nobody reads.
    struct Stalled;

    impl Subscriber for Stalled {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            loop {
                std::thread::park();
            }
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// Set in the process that ends: this test, run by itself.
    const ENDS: &str = "FOREBAY_TEST_ENDS";

    #[test]
    fn a_last_line_that_nobody_reads_does_not_keep_the_process_alive() {
        if std::env::var_os(ENDS).is_some() {
            tracing::subscriber::set_global_default(Stalled).expect("there is no other");
            ExitProcess.end(&Error::DiskFull);
        }
        let name = "fatal::tests::a_last_line_that_nobody_reads_does_not_keep_the_process_alive";
        let mut ends = Command::new(std::env::current_exe().expect("this test's program"));
        ends.args(["--exact", name]).env(ENDS, "1").stdout(Stdio::null()).stderr(Stdio::null());
        let status = ends.status().expect("it runs");
        assert_eq!(status.code(), Some(EXIT_IO));
    }

    #[test]
    fn a_panic_is_told_from_an_io_error() {
        assert_eq!(exit_code(&Error::Panicked { message: String::new() }), 70);
        assert_eq!(exit_code(&Error::DiskFull), 74);
    }
}
