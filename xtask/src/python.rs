//! A Python of its own for the tests, with DuckDB: a reader of Parquet files that shares no code
//! with the one that writes them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::program;

/// The package and the version that the tests are known to pass with.
const DUCKDB: &str = "duckdb==2.0.0";

/// Makes the environment in `target` unless it is there; returns its interpreter.
pub(crate) fn with_duckdb(target: &Path) -> Result<PathBuf, Error> {
    let home = target.join("python");
    let python = home.join("bin").join("python");
    let has_duckdb = || program::works(Command::new(&python).args(["-c", "import duckdb"]));
    if !has_duckdb() {
        program::run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", DUCKDB];
        program::run(Command::new(&python).args(install))?;
    }
    Ok(python)
}
