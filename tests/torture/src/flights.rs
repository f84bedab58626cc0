//! Flights that left New York City in 2013, and the weather there: real data for loads.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{During, Error};

/// Rows of each table.
pub(crate) const TABLES: [(&str, u64); 2] = [("flights", 336_776), ("weather", 26_115)];

/// All lines, in time order, in bodies of so many lines.
pub(crate) fn bodies(lines: usize) -> Result<Vec<String>, Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/nycflights13.lp.gz");
    let file = File::open(&path).during(format!("open {}", path.display()))?;
    let mut text = String::new();
    let read = MultiGzDecoder::new(file).read_to_string(&mut text);
    read.during(format!("read {}", path.display()))?;
    let all: Vec<&str> = text.lines().collect();
    Ok(all.chunks(lines).map(|lines| lines.join("\n")).collect())
}
