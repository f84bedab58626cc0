//! The request ids of the newest commands, by which a repetition is recognised.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use types::{CatalogVersion, RequestId};

/// Ids a generation; copying one is what remembering costs.
const GENERATION_LEN: usize = 256;

/// Generations kept. The newest 16,128 commands at least are remembered: a sender repeats a command
/// within seconds, and even a rotation of 10,000 partitions fits. What is repeated later is met by
/// the conditions of the command itself. A constant, not configuration: replaying the log must
/// recognise exactly what was recognised when it was written.
const GENERATIONS: usize = 64;

/// A bounded memory of request ids and the versions that they committed.
///
/// Cloning copies pointers; remembering copies at most one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestWindow {
    /// Oldest first; all but the last are full.
    generations: VecDeque<Arc<BTreeMap<RequestId, CatalogVersion>>>,
}

impl RequestWindow {
    /// The version that `request` committed, if it is remembered.
    pub(crate) fn get(&self, request: RequestId) -> Option<CatalogVersion> {
        let newest_first = self.generations.iter().rev();
        newest_first.filter_map(|ids| ids.get(&request)).next().copied()
    }

    /// Remembers that `request` committed `version`, and forgets the oldest generation if need be.
    pub(crate) fn remember(&mut self, request: RequestId, version: CatalogVersion) {
        let is_full = |ids: &Arc<BTreeMap<_, _>>| ids.len() >= GENERATION_LEN;
        if self.generations.back().is_none_or(is_full) {
            self.generations.push_back(Arc::default());
        }
        if self.generations.len() > GENERATIONS {
            self.generations.pop_front();
        }
        if let Some(newest) = self.generations.back_mut() {
            Arc::make_mut(newest).insert(request, version);
        }
    }

    /// What is remembered, oldest first: put into an empty window in this order, it gives an equal
    /// one.
    pub(crate) fn entries(&self) -> Vec<(RequestId, CatalogVersion)> {
        let mut entries = Vec::new();
        for ids in &self.generations {
            let from = entries.len();
            entries.extend(ids.iter().map(|(request, version)| (*request, *version)));
            entries[from..].sort_by_key(|(_, version)| *version);
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> RequestId {
        RequestId::from_random(n, !n)
    }

    fn window_of(commands: u64) -> RequestWindow {
        let mut window = RequestWindow::default();
        for n in 1..=commands {
            window.remember(id(n), CatalogVersion::new(n));
        }
        window
    }

    #[test]
    fn the_newest_are_remembered_and_the_oldest_forgotten() {
        let window = window_of(20_000);
        assert_eq!(window.get(id(20_000)), Some(CatalogVersion::new(20_000)));
        assert_eq!(window.get(id(20_000 - 16_000)), Some(CatalogVersion::new(4_000)));
        assert_eq!(window.get(id(1)), None);
        assert!(window.entries().len() <= GENERATION_LEN * GENERATIONS);
    }

    #[test]
    fn a_window_that_is_rebuilt_is_equal() {
        for commands in [0, 1, 256, 257, 16_384, 16_385, 17_000] {
            let window = window_of(commands);
            let mut rebuilt = RequestWindow::default();
            for (request, version) in window.entries() {
                rebuilt.remember(request, version);
            }
            assert_eq!(rebuilt, window, "after {commands} commands");
        }
    }

    #[test]
    fn remembering_copies_one_generation_and_shares_the_others() {
        let before = window_of(1_000);
        let mut after = before.clone();
        after.remember(id(1_001), CatalogVersion::new(1_001));
        let pairs = before.generations.iter().zip(&after.generations);
        assert_eq!(pairs.filter(|(old, new)| !Arc::ptr_eq(old, new)).count(), 1);
        assert_eq!(before.get(id(1_001)), None, "the older window is as it was");
    }
}
