//! All tests of the workspace, with what they need.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::{debian, program, python};

/// Tells the tests which Python has DuckDB.
const PYTHON_VARIABLE: &str = "FOREBAY_TEST_PYTHON";

/// Runs the tests; `arguments` go to `cargo nextest run`. What it prints last is its own summary.
pub(crate) fn run(arguments: Vec<String>) -> Result<(), Error> {
    install_nextest()?;
    debian::install_missing()?;
    let python = python::with_duckdb(&target_dir())?;
    let mut tests = cargo();
    tests
        .args(["nextest", "run", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .env(PYTHON_VARIABLE, python);
    if program::status(&mut tests)?.success() { Ok(()) } else { Err(Error::TestsFailed) }
}

pub(crate) fn install_nextest() -> Result<(), Error> {
    if program::works(cargo().args(["nextest", "--version"])) {
        return Ok(());
    }
    program::run(cargo().args(["install", "cargo-nextest", "--locked"]))
}

/// The cargo that runs this program, without what it tells this program of its package: build
/// scripts that look at it would run anew, and most of the workspace be built anew, each time that
/// tests are run in another way.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    let of_package =
        |name: &str| name.starts_with("CARGO_MANIFEST") || name.starts_with("CARGO_PKG");
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The root of the workspace, which holds this package.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
