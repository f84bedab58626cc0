//! What the catalog knows about a log.

use serde::{Deserialize, Serialize};
use types::{Epoch, Lsn};

/// A log's highest registered epoch, which fences all lower ones, and how far it has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The epoch of its newest opening.
    pub epoch: Epoch,
    /// The largest LSN that any commit has named; the next one given out is above it.
    pub lsn: Lsn,
}
