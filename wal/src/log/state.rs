//! What a log is doing, for status pages and metrics.

use types::{Epoch, LogId, Lsn};

use crate::segment::SegmentSummary;

/// A log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The log's id.
    pub log_id: LogId,
    /// The epoch of this opening.
    pub epoch: Epoch,
    /// Everything up to here is fsynced.
    pub durable_lsn: Lsn,
    /// The LSN that the next batch gets.
    pub next_lsn: Lsn,
    /// The segment that is written to; `None` while a full disk leaves none.
    pub open: Option<SegmentSummary>,
    /// The segments that will not change any more, oldest first.
    pub sealed: Vec<SegmentSummary>,
    /// Bytes in all segments.
    pub bytes: u64,
    /// The largest frame that was refused because the log holds too much, until there is room for
    /// it; 0 if there is none.
    pub wanted: u64,
    /// True while the disk is full: appends are refused, dropping segments helps.
    pub disk_full: bool,
}
