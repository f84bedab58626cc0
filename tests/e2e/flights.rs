//! Flights that left New York City in 2013, and the weather there.

use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// The file with all of them, as an argument.
pub(crate) fn path() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/nycflights13.lp.gz");
    path.into_os_string().into_string().expect("is text")
}

/// The first `lines` lines, in time order.
pub(crate) fn first(lines: usize) -> Vec<u8> {
    let file = std::fs::File::open(path()).expect("the data set is there");
    let text = BufReader::new(MultiGzDecoder::new(file)).lines().take(lines);
    text.flat_map(|line| (line.expect("is text") + "\n").into_bytes()).collect()
}

/// How many of `lines` are rows of `table`.
pub(crate) fn count(lines: &[u8], table: &str) -> usize {
    lines.split(|byte| *byte == b'\n').filter(|line| line.starts_with(table.as_bytes())).count()
}
