//! What recovery says that it met.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::forebay::Server;

/// What the log and the catalog's log say alike when they are recovered.
const RECOVERED: &str = "the log is recovered";
/// The directory that has the catalog's log in it.
const CATALOG: &str = "catalog";

/// Torn tails, by whose they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Met {
    /// All.
    pub torn_tails: u64,
    /// Those in the log.
    pub torn_tails_log: u64,
    /// Those in the catalog.
    pub torn_tails_catalog: u64,
    /// Their bytes.
    pub torn_bytes: u64,
}

impl Met {
    /// Counts what a server that has just started tells of.
    pub(super) fn recovered(&mut self, server: &Server) {
        for line in server.lines_with(RECOVERED) {
            self.count(&line);
        }
    }

    fn count(&mut self, line: &str) {
        let told: Value = serde_json::from_str(line).unwrap_or_default();
        let count = |name: &str| told[name].as_u64().unwrap_or_default();
        let dir = Path::new(told["dir"].as_str().unwrap_or_default());
        let in_catalog = dir.iter().any(|part| part == CATALOG);
        let kind = if in_catalog { &mut self.torn_tails_catalog } else { &mut self.torn_tails_log };
        *kind += count("torn_tails");
        self.torn_tails += count("torn_tails");
        self.torn_bytes += count("torn_bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_tails_are_counted_by_whose_they_are() {
        let line = |dir: &str, torn_tails: u64, torn_bytes: u64| {
            let told = serde_json::json!({
                "message": RECOVERED, "dir": dir, "verdict": "TornTail { .. }",
                "torn_tails": torn_tails, "torn_bytes": torn_bytes,
            });
            told.to_string()
        };
        let mut met = Met::default();
        met.count(&line("/mnt/data/wal", 1, 4096));
        met.count(&line("/mnt/data/wal", 0, 0));
        met.count(&line("/mnt/data/catalog/log", 1, 100));
        let expected =
            Met { torn_tails: 2, torn_tails_log: 1, torn_tails_catalog: 1, torn_bytes: 4196 };
        assert_eq!(met, expected);
    }
}
