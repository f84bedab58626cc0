//! Which segments of the log are still needed.
//!
//! A segment may go when each LSN in it is in a committed file or belongs to a dropped table. The
//! tracker remembers, segment by segment, the LSNs of each partition that are not settled yet; live
//! and replayed segments are the same to it. Settling is idempotent: an LSN that is not there any
//! more is none.

mod lsn_runs;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use types::{Lsn, LsnRange, PartitionId, SegmentSeq};

use lsn_runs::LsnRuns;

/// What is left of one segment.
#[derive(Debug, Default)]
struct SegmentReferences {
    /// Never empty.
    unsettled: BTreeMap<PartitionId, LsnRuns>,
    /// Whether all of its batches were told.
    sealed: bool,
    last: Lsn,
}

impl SegmentReferences {
    fn is_free(&self) -> bool {
        self.sealed && self.unsettled.is_empty()
    }
}

/// The references from partitions to segments.
#[derive(Debug, Default)]
pub(crate) struct WalTracker {
    segments: Mutex<BTreeMap<SegmentSeq, SegmentReferences>>,
}

/// Segments that nothing needs, oldest first without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Droppable {
    /// The newest of them.
    pub(crate) through: SegmentSeq,
    /// The largest LSN in them; zero if they hold none.
    pub(crate) last: Lsn,
}

/// The oldest segment of which something is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OldestNeeded {
    /// False if it is the open one.
    pub(crate) sealed: bool,
    /// The partitions that keep it, each with its last LSN in it that is not settled.
    pub(crate) last_unsettled: BTreeMap<PartitionId, Lsn>,
}

impl WalTracker {
    /// A batch that needs its segment; told before it can be persisted.
    pub(crate) fn published(&self, segment: SegmentSeq, partition: PartitionId, lsn: Lsn) {
        let mut segments = self.segments.lock();
        let references = segments.entry(segment).or_default();
        references.unsettled.entry(partition).or_default().push(lsn);
        references.last = references.last.max(lsn);
    }

    /// A batch that is in a file already, or belongs to a dropped table.
    pub(crate) fn skipped(&self, segment: SegmentSeq, lsn: Lsn) {
        let mut segments = self.segments.lock();
        let references = segments.entry(segment).or_default();
        references.last = references.last.max(lsn);
    }

    /// All batches of `segment` were told.
    pub(crate) fn sealed(&self, segment: SegmentSeq) {
        self.segments.lock().entry(segment).or_default().sealed = true;
    }

    /// All batches of `segment` are in the buffer or in jobs: no reason to let it go, unless that
    /// mistake is planted.
    pub(crate) fn handed_over(&self, segment: SegmentSeq) {
        self.segments.lock().entry(segment).or_default().unsettled.clear();
    }

    /// Each batch of `partition` within `lsns` is settled.
    pub(crate) fn settled(&self, partition: PartitionId, lsns: LsnRange) {
        for references in self.segments.lock().values_mut() {
            if let Some(unsettled) = references.unsettled.get_mut(&partition) {
                unsettled.remove(lsns);
                if unsettled.is_empty() {
                    references.unsettled.remove(&partition);
                }
            }
        }
    }

    /// The segments that nothing needs, if any.
    pub(crate) fn droppable(&self) -> Option<Droppable> {
        let segments = self.segments.lock();
        segments.iter().take_while(|(_, references)| references.is_free()).fold(
            None,
            |before: Option<Droppable>, (seq, references)| {
                let last = before.map_or(Lsn::ZERO, |before| before.last).max(references.last);
                Some(Droppable { through: *seq, last })
            },
        )
    }

    /// Forgets segments up to `through`, which are gone.
    pub(crate) fn dropped(&self, through: SegmentSeq) {
        self.segments.lock().retain(|seq, _| *seq > through);
    }

    /// What keeps the oldest segment that is needed, if one is.
    pub(crate) fn oldest_needed(&self) -> Option<OldestNeeded> {
        let segments = self.segments.lock();
        let oldest = segments.values().find(|references| !references.unsettled.is_empty())?;
        let last = |(id, lsns): (&PartitionId, &LsnRuns)| lsns.last().map(|last| (*id, last));
        let last_unsettled = oldest.unsettled.iter().filter_map(last).collect();
        Some(OldestNeeded { sealed: oldest.sealed, last_unsettled })
    }
}

#[cfg(test)]
mod tests {
    use types::effect::{Randomness, SeededRandomness};
    use types::{PartitionKey, TableId};

    use super::*;

    const P: u64 = 1;
    const Q: u64 = 2;

    fn partition(table: u64) -> PartitionId {
        PartitionId::of(TableId::new(table), &PartitionKey::of_time(0))
    }

    fn lsns(first: u64, last: u64) -> LsnRange {
        LsnRange::new(Lsn::new(first), Lsn::new(last))
    }

    /// A tracker of segments, each with its batches as (LSN, table), all sealed.
    fn tracker(segments: &[&[(u64, u64)]]) -> WalTracker {
        let tracker = WalTracker::default();
        for (seq, batches) in segments.iter().enumerate() {
            let seq = SegmentSeq::new(seq as u64);
            for (lsn, table) in *batches {
                tracker.published(seq, partition(*table), Lsn::new(*lsn));
            }
            tracker.sealed(seq);
        }
        tracker
    }

    fn through(tracker: &WalTracker) -> Option<u64> {
        tracker.droppable().map(|droppable| droppable.through.get())
    }

    #[test]
    fn a_segment_goes_when_all_its_batches_are_settled_and_not_before() {
        let tracker = tracker(&[&[(1, P), (2, Q), (3, P)], &[(4, P)]]);
        tracker.settled(partition(P), lsns(1, 4));
        assert_eq!(through(&tracker), None, "batch 2 of another partition is not in the file");
        tracker.settled(partition(Q), lsns(2, 2));
        assert_eq!(through(&tracker), Some(1));
        assert_eq!(tracker.droppable().map(|droppable| droppable.last), Some(Lsn::new(4)));
        tracker.dropped(SegmentSeq::new(1));
        assert_eq!(through(&tracker), None);
    }

    #[test]
    fn z6_jobs_may_end_in_any_order_and_twice() {
        let tracker = tracker(&[&[(1, P), (2, P), (3, P)]]);
        tracker.settled(partition(P), lsns(3, 3));
        tracker.settled(partition(P), lsns(3, 3));
        assert_eq!(through(&tracker), None);
        tracker.settled(partition(P), lsns(1, 2));
        assert_eq!(through(&tracker), Some(0));
    }

    /// Logs were truncated before their rows were in files, or never.
    #[test]
    fn b12_segments_go_when_a_model_says_so_and_neither_sooner_nor_later() {
        for seed in 0..200 {
            let chance = SeededRandomness::new(seed);
            let below = |limit: u64| chance.next_u64() % limit;
            let tracker = WalTracker::default();
            // Segment by segment, the batches that are not settled, as (LSN, table).
            let mut model: Vec<Vec<(u64, u64)>> = Vec::new();
            let mut lsn = 0;
            for seq in 0..5 {
                let mut batches = Vec::new();
                for _ in 0..=below(6) {
                    lsn += 1;
                    let table = below(3);
                    let seq = SegmentSeq::new(seq);
                    tracker.published(seq, partition(table), Lsn::new(lsn));
                    batches.push((lsn, table));
                }
                tracker.sealed(SegmentSeq::new(seq));
                model.push(batches);
            }
            while model.iter().any(|batches| !batches.is_empty()) {
                let (first, table) = (1 + below(lsn), below(3));
                let last = first + below(4);
                tracker.settled(partition(table), lsns(first, last));
                for batches in &mut model {
                    batches.retain(|(at, of)| *of != table || !(first..=last).contains(at));
                }
                let free = model.iter().take_while(|batches| batches.is_empty()).count() as u64;
                assert_eq!(through(&tracker), free.checked_sub(1), "seed {seed}");
            }
        }
    }

    #[test]
    fn segments_go_oldest_first() {
        let tracker = tracker(&[&[(1, P)], &[(2, Q)], &[]]);
        tracker.settled(partition(Q), lsns(2, 2));
        assert_eq!(through(&tracker), None, "segment 0 is still needed");
        let last_unsettled = BTreeMap::from([(partition(P), Lsn::new(1))]);
        assert_eq!(tracker.oldest_needed(), Some(OldestNeeded { sealed: true, last_unsettled }));
        tracker.settled(partition(P), lsns(1, 1));
        assert_eq!(through(&tracker), Some(2));
    }

    #[test]
    fn an_open_segment_never_goes() {
        let tracker = WalTracker::default();
        tracker.skipped(SegmentSeq::new(0), Lsn::new(1));
        assert_eq!(through(&tracker), None);
        tracker.sealed(SegmentSeq::new(0));
        assert_eq!(through(&tracker), Some(0));
    }
}
