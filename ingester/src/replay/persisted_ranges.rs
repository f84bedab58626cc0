//! What of a log is in files already.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use catalog::Snapshot;
use types::fault::{self, Bug};
use types::{LogId, Lsn, LsnRange, PartitionBatch, PartitionId, Term};

/// What is settled of a partition.
#[derive(Debug)]
enum Persisted {
    /// All of it: its table was dropped.
    All,
    /// These ranges, in order.
    Ranges(Vec<LsnRange>),
}

/// What is settled of each partition, looked up in the catalog once. Nobody walks the map, so its
/// order has no effect.
#[derive(Debug)]
pub(super) struct PersistedRanges {
    catalog: Arc<Snapshot>,
    log: LogId,
    known: HashMap<PartitionId, Persisted>,
}

impl PersistedRanges {
    pub(super) fn new(catalog: Arc<Snapshot>, log: LogId) -> Self {
        Self { catalog, log, known: HashMap::new() }
    }

    /// True if `batch`, which has this LSN, is in a file or its table was dropped; `None` if the
    /// catalog has never heard of the table.
    pub(super) fn hold(&mut self, batch: &PartitionBatch, lsn: Lsn) -> Option<bool> {
        let persisted = match self.known.entry(batch.partition()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(Persisted::look_up(&self.catalog, self.log, batch)?)
            }
        };
        match persisted {
            Persisted::All => Some(true),
            Persisted::Ranges(ranges) if fault::is_planted(Bug::LargestLsn) => {
                Some(ranges.last().is_some_and(|range| lsn <= range.last()))
            }
            Persisted::Ranges(ranges) => Some(is_in(ranges, lsn)),
        }
    }
}

impl Persisted {
    fn look_up(catalog: &Snapshot, log: LogId, batch: &PartitionBatch) -> Option<Self> {
        if catalog.is_dead(batch.table.id) {
            return Some(Self::All);
        }
        let (_, table) = catalog.table_by_id(batch.table.id)?;
        let partition = table.partitions.get(&batch.key);
        let ranges = partition.into_iter().flat_map(|partition| partition.lsns_of(log));
        let of_term = ranges.filter(|(term, _)| *term == Term::ZERO);
        let mut ranges: Vec<LsnRange> = of_term.map(|(_, lsns)| lsns).collect();
        // Ranges of one partition never overlap, so they have one order.
        ranges.sort_unstable();
        Some(Self::Ranges(ranges))
    }
}

/// True if one of `ranges`, which are in order, holds `lsn`.
fn is_in(ranges: &[LsnRange], lsn: Lsn) -> bool {
    let at = ranges.partition_point(|range| range.last() < lsn);
    ranges.get(at).is_some_and(|range| range.contains(lsn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_lsn_is_found_in_ranges_with_gaps() {
        let range = |first, last| LsnRange::new(Lsn::new(first), Lsn::new(last));
        let ranges = [range(2, 3), range(5, 5), range(8, 20)];
        let held: Vec<u64> = (0..24).filter(|lsn| is_in(&ranges, Lsn::new(*lsn))).collect();
        let expected: Vec<u64> = [2, 3, 5].into_iter().chain(8..=20).collect();
        assert_eq!(held, expected);
        assert!(!is_in(&[], Lsn::new(1)));
    }
}
