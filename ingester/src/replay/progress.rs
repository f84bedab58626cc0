//! Tells how far the replay is, to who asks and to the log of the process.

use std::time::Duration;

use types::effect::Clock;
use wal::SegmentSummary;

use crate::state::{IngestState, ReplayProgress};

/// How often a line is logged.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// What was applied so far.
pub(super) struct ProgressReport<'a> {
    state: &'a IngestState,
    clock: &'a dyn Clock,
    /// The segment that is replayed now, and those behind it.
    left: &'a [SegmentSummary],
    /// Frames of it that were applied.
    frames: u64,
    /// Bytes of the segments before it.
    bytes_before: u64,
    bytes_total: u64,
    began: Duration,
    told: Duration,
}

impl<'a> ProgressReport<'a> {
    pub(super) fn new(
        state: &'a IngestState,
        clock: &'a dyn Clock,
        segments: &'a [SegmentSummary],
    ) -> Self {
        let bytes_total = segments.iter().map(|segment| segment.bytes).sum();
        let now = clock.monotonic();
        let report = Self {
            state,
            clock,
            left: segments,
            frames: 0,
            bytes_before: 0,
            bytes_total,
            began: now,
            told: now,
        };
        state.replayed(report.progress(now, 0));
        report
    }

    /// More frames were applied; there are `batches` batches now.
    pub(super) fn advanced(&mut self, frames: u64, batches: u64, ends_segment: bool) {
        self.frames += frames;
        if ends_segment && let Some((ended, left)) = self.left.split_first() {
            self.bytes_before += ended.bytes;
            (self.frames, self.left) = (0, left);
        }
        let now = self.clock.monotonic();
        let progress = self.progress(now, batches);
        self.state.replayed(progress);
        if now.saturating_sub(self.told) >= LINE_PERIOD {
            self.told = now;
            let ReplayProgress { bytes_read, bytes_total, batches, batches_per_second } = progress;
            tracing::info!(bytes_read, bytes_total, batches, batches_per_second, "replaying");
        }
    }

    fn progress(&self, now: Duration, batches: u64) -> ReplayProgress {
        let elapsed = now.saturating_sub(self.began).as_millis();
        let per_second = (u128::from(batches) * 1_000).checked_div(elapsed).unwrap_or(0);
        ReplayProgress {
            bytes_read: self.bytes_before + self.bytes_of_segment(),
            bytes_total: self.bytes_total,
            batches,
            batches_per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
        }
    }

    /// Bytes of the present segment, in the measure of its frames.
    fn bytes_of_segment(&self) -> u64 {
        let Some(segment) = self.left.first() else { return 0 };
        let applied = u128::from(segment.bytes) * u128::from(self.frames);
        let bytes = applied.checked_div(u128::from(segment.frames)).unwrap_or(0);
        u64::try_from(bytes).map_or(segment.bytes, |bytes| bytes.min(segment.bytes))
    }
}

#[cfg(test)]
mod tests {
    use types::effect::ManualClock;
    use types::{Epoch, SegmentSeq};

    use super::*;
    use crate::state::Phase;

    fn segment(seq: u64, frames: u64, bytes: u64) -> SegmentSummary {
        let (seq, epoch) = (SegmentSeq::new(seq), Epoch::ZERO);
        SegmentSummary { seq, epoch, lsns: None, frames, bytes, torn: None }
    }

    #[test]
    fn progress_is_told_within_a_segment() {
        let (state, clock) = (IngestState::new(), ManualClock::default());
        let segments = [segment(1, 4, 100), segment(2, 10, 50)];
        let mut report = ProgressReport::new(&state, &clock, &segments);
        let check = |bytes_read, batches, batches_per_second| {
            let bytes_total = 150;
            let progress = ReplayProgress { bytes_read, bytes_total, batches, batches_per_second };
            assert_eq!(state.phase(), Phase::Replaying(progress));
        };
        check(0, 0, 0);
        clock.advance(Duration::from_secs(2));
        report.advanced(1, 10, false);
        check(25, 10, 5);
        report.advanced(3, 40, true);
        check(100, 40, 20);
        report.advanced(4, 44, false);
        check(120, 44, 22);
        report.advanced(6, 50, true);
        check(150, 50, 25);
    }
}
