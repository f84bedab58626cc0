//! The partitions that a scan will visit, fixed when it is planned.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::Date32Type;
use catalog::{File, Partition, Table};
use types::partition::DAY_NS;
use types::seam::TableReader;
use types::{LogId, LsnRange, PartitionId, PartitionKey, SortKey, Term};

use super::turn::groups;
use crate::predicate::KeyPredicate;
use crate::source::Source;

/// One partition that a scan will have its turn at.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The partition.
    pub(crate) id: PartitionId,
    /// The order of its files at the version that is read.
    pub(crate) sort_key: SortKey,
    /// The files to read, the oldest values first.
    pub(crate) files: Vec<Arc<File>>,
    /// What files have of the log whose batches the buffer holds, those included that need not be
    /// read: the buffer may still have the same batches.
    pub(crate) in_files: Vec<LsnRange>,
    /// The term of the buffer's chunks. Its log has the partition now, so no file has a higher one.
    pub(crate) term: Term,
    /// True if the buffer had rows when the scan was planned.
    pub(crate) buffered: bool,
}

impl Visit {
    /// A partition that has no file yet.
    fn new(id: PartitionId) -> Self {
        Self {
            id,
            sort_key: SortKey::default(),
            files: Vec::new(),
            in_files: Vec::new(),
            term: Term::ZERO,
            buffered: false,
        }
    }

    fn of_files(partition: &Partition, log: LogId, predicate: &KeyPredicate) -> Self {
        let times: Vec<_> =
            partition.files.iter().map(|file| file.time_min..=file.time_max).collect();
        let kept = predicate.may_match(&times).into_iter();
        let files = partition.files.iter().zip(kept).filter(|(_, kept)| *kept);
        Self {
            sort_key: partition.sort_key.clone(),
            files: files.map(|(file, _)| Arc::clone(file)).collect(),
            in_files: partition.lsns_of(log).map(|(_, lsns)| lsns).collect(),
            term: partition.files.last().map_or(Term::ZERO, |file| file.term),
            ..Self::new(partition.id)
        }
    }
}

/// All partitions of a scan in key order, less those that its filters exclude.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    pub(super) queue: VecDeque<Visit>,
    pub(super) files_pruned: usize,
    partitions_pruned: usize,
}

impl Visits {
    /// The partitions of the files of `table` and those that `reader` fixed.
    pub(crate) fn plan(
        table: &Table,
        reader: &dyn TableReader,
        log: LogId,
        predicate: &KeyPredicate,
    ) -> Self {
        let mut all: BTreeMap<&PartitionKey, Visit> = BTreeMap::new();
        for (key, partition) in &table.partitions {
            all.insert(key, Visit::of_files(partition, log, predicate));
        }
        for partition in reader.partitions() {
            let visit = all.entry(&partition.key).or_insert_with(|| Visit::new(partition.id));
            visit.buffered = true;
        }
        let days: Vec<_> = all.keys().map(|key| day_range(key)).collect();
        let kept = predicate.may_match(&days);
        let files: usize = table.partitions.values().map(|held| held.files.len()).sum();
        let queue: VecDeque<Visit> = all
            .into_values()
            .zip(&kept)
            .filter_map(|(visit, kept)| kept.then_some(visit))
            .collect();
        let files_kept: usize = queue.iter().map(|visit| visit.files.len()).sum();
        Self {
            partitions_pruned: kept.len() - queue.len(),
            files_pruned: files - files_kept,
            queue,
        }
    }
}

/// The times that rows of the partition may have: all, if the key is not a day.
fn day_range(key: &PartitionKey) -> RangeInclusive<i64> {
    let Some(day) = Date32Type::parse(key.as_str()) else {
        return i64::MIN..=i64::MAX;
    };
    let start = i128::from(day) * i128::from(DAY_NS);
    // The first and the last day that nanoseconds reach are not whole.
    let clamp = |time: i128| time.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    clamp(start)..=clamp(start + i128::from(DAY_NS) - 1)
}

impl fmt::Display for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |of: &dyn Fn(&Visit) -> bool| self.queue.iter().filter(|visit| of(visit)).count();
        let files: usize = self.queue.iter().map(|visit| visit.files.len()).sum();
        let merged = |visit: &Visit| {
            groups(visit.files.iter().map(Source::file).collect()).len() < visit.files.len()
        };
        let at_turn = |visit: &Visit| visit.buffered && !visit.files.is_empty();
        write!(
            f,
            "partitions={} ({} pruned), files={files} ({} pruned), buffered partitions={}, \
             merge={}, disjoint={}, merge or disjoint at their turn={}",
            self.queue.len(),
            self.partitions_pruned,
            self.files_pruned,
            count(&|visit| visit.buffered),
            count(&|visit| merged(visit)),
            count(&|visit| !merged(visit) && !at_turn(visit)),
            count(&|visit| !merged(visit) && at_turn(visit)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(time: i64) {
        let range = day_range(&PartitionKey::of_time(time));
        assert!(range.contains(&time), "{time} in {range:?}");
        let next = range.end().checked_add(1);
        assert!(next.is_none_or(|next| PartitionKey::of_time(next) != PartitionKey::of_time(time)));
        let before = range.start().checked_sub(1);
        assert!(before.is_none_or(|time_before| {
            PartitionKey::of_time(time_before) != PartitionKey::of_time(time)
        }));
    }

    #[test]
    fn a_key_covers_exactly_the_times_of_its_day() {
        for time in [i64::MIN, -1, 0, 1_357_020_000_000_000_000, i64::MAX] {
            check(time);
        }
    }

    #[test]
    fn a_key_that_is_no_day_may_have_any_time() {
        let range = day_range(&PartitionKey::from_stored("eu-west"));
        assert_eq!(range, i64::MIN..=i64::MAX);
    }
}
