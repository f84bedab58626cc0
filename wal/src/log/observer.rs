//! Those who wait for frames to be durable, told by the log's thread.

use std::time::Duration;

use types::{LsnRange, SegmentSeq};

use crate::error::Error;
use crate::segment::SealedSegment;

/// A frame that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedFrame<T> {
    /// The LSNs that its batches got.
    pub lsns: LsnRange,
    /// What came with the append.
    pub payload: T,
}

/// The frames that one fdatasync covered, in LSN order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<T> {
    /// The segment that holds all of them.
    pub segment: SegmentSeq,
    /// The frames; never empty.
    pub frames: Vec<CommittedFrame<T>>,
    /// Their bytes on disk.
    pub bytes: u64,
    /// How long the fdatasync took.
    pub sync_time: Duration,
}

/// Hears, on the log's thread and in LSN order, what became of the appends. It must not block:
/// the next group waits meanwhile.
pub trait CommitObserver<T>: Send + 'static {
    /// The group is durable.
    fn committed(&mut self, group: Group<T>);

    /// The disk has returned. The group was durable before it was told, so there is nothing to do,
    /// unless one is told too early on purpose: that its writers are answered now.
    fn synced(&mut self) {}

    /// Nothing of this append was kept.
    fn refused(&mut self, payload: T, error: &Error);

    /// A segment will not change any more. What it held was told before.
    fn sealed(&mut self, segment: &SealedSegment);
}
