//! DuckDB, a reader of Parquet files that shares no code with their writer.

use std::process::Command;

/// Set by `cargo xtask test`: a Python that has DuckDB.
const PYTHON: &str = "FOREBAY_TEST_PYTHON";
const PROGRAM: &str = "
import duckdb, sys
for row in duckdb.sql(sys.argv[1]).fetchall():
    print(*row, sep=',')
";

/// The rows of the answer, one a line, as comma-separated values.
pub(crate) fn query(sql: &str) -> String {
    let python = std::env::var(PYTHON).expect("run the tests with `cargo xtask test`");
    let output = Command::new(python).args(["-c", PROGRAM, sql]).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is text")
}
