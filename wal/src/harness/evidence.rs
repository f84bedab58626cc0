//! Counts for the page of evidence: told on standard output, and left in a file for whoever collects
//! them.

use std::path::Path;
use std::{env, fs};

/// The environment variable with the directory that the files go to.
const DIR_VARIABLE: &str = "FOREBAY_EVIDENCE_DIR";

/// Tells what a test has counted; only a test that has found nothing wrong comes so far.
pub(crate) fn tell(name: &str, counts: &[(&str, u64)]) {
    let counts: Vec<_> = counts.iter().map(|(what, count)| format!("\"{what}\":{count}")).collect();
    let line = format!("{{\"scenario\":\"wal-{name}\",{}}}", counts.join(","));
    println!("{line}");
    if let Some(dir) = env::var_os(DIR_VARIABLE) {
        let file = Path::new(&dir).join(format!("wal-{name}.json"));
        fs::write(file, line + "\n").expect("the directory of the evidence takes a file");
    }
}
