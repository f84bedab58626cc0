//! Logs to standard error, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

/// Reads a filter such as `info` or `warn,wal=debug`; the text says what is wrong with it.
pub(crate) fn check_filter(filter: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends what is logged from now on to standard error. `filter` was
/// [checked](check_filter) before.
pub(crate) fn start(filter: &str, format: LogFormat) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::builder().parse_lossy(filter));
    match format {
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_checked_before_it_is_used() {
        assert!(check_filter("warn,wal=debug").is_ok());
        assert!(check_filter("wal=loud").is_err());
    }
}
