//! Tasks of this project that are longer than a line of shell: `cargo xtask <task>`.
//!
//! `cargo xtask test [ARGS…]` runs all tests; further arguments go to `cargo nextest run`.
//! `cargo xtask evidence` runs all that hurts this program, for hours, and writes `docs/evidence.md`;
//! `cargo xtask evidence quick` does it with small counts, in minutes, and writes below `target`. What
//! an earlier run of the same commit has left is taken over, unless `--fresh` says otherwise.

mod debian;
mod error;
mod evidence;
mod program;
mod python;
mod test;
#[cfg(test)]
mod tidy;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use error::Error;
use evidence::{Lane, Request};

const USAGE: &str = "usage: cargo xtask test [arguments of cargo nextest run]
       cargo xtask evidence [quick] [--fresh]";

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let done = match words.next().as_deref() {
        Some("test") => test::run(words.collect()),
        Some("evidence") => request(words).and_then(evidence::run),
        _ => Err(Error::Usage),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The tests have told their own story; nothing is to stand behind their summary.
        Err(Error::TestsFailed) => ExitCode::FAILURE,
        Err(error) => {
            let text =
                if matches!(error, Error::Usage) { USAGE.to_owned() } else { error.to_string() };
            // There is nobody left to hear that standard error cannot be written.
            let _ = writeln!(io::stderr(), "xtask: {text}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked for behind `evidence`.
fn request(words: impl Iterator<Item = String>) -> Result<Request, Error> {
    let mut request = Request { lane: Lane::Long, fresh: false };
    for word in words {
        match word.as_str() {
            "quick" => request.lane = Lane::Quick,
            "--fresh" => request.fresh = true,
            _ => return Err(Error::Usage),
        }
    }
    Ok(request)
}
