//! Which queries run, and so what has to be kept for them.
//!
//! A reader of version V needs a chunk that version W > V put into a file until it has had its turn
//! at the chunk's partition. Registration and release meet under one lock: a reader is either known
//! before a chunk is let go, or finds that its version is too old and takes a newer one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use types::fault::{self, Bug};
use types::seam::QueryError;
use types::{CatalogVersion, MemoryBudget, MemoryOwner, PartitionId, TableId};

use super::partition::Partition;

/// Names a reader: a query that has not opened its scans yet, or one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReaderId(u64);

/// What a reader may still have to read.
#[derive(Debug)]
enum Pending {
    /// Any partition of any table: the query is still being planned.
    Everything,
    /// All partitions of one table but those that it has visited.
    Table { table: TableId, visited: BTreeSet<PartitionId> },
}

#[derive(Debug)]
struct Reader {
    version: CatalogVersion,
    pending: Pending,
}

impl Reader {
    fn needs(&self, table: TableId, partition: PartitionId, version: CatalogVersion) -> bool {
        let pending = match &self.pending {
            Pending::Everything => true,
            Pending::Table { table: scanned, visited } => {
                *scanned == table && !visited.contains(&partition)
            }
        };
        pending && self.version < version
    }
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    readers: BTreeMap<ReaderId, Reader>,
    /// The highest version whose chunks were let go: who reads an older one would miss rows.
    released: CatalogVersion,
    /// Partitions that keep retired sets, with the bytes of them.
    keeping: BTreeMap<PartitionId, (Arc<Partition>, u64)>,
}

/// The running queries of a buffer tree.
#[derive(Debug)]
pub(crate) struct Readers {
    state: Mutex<State>,
    memory: Arc<MemoryBudget>,
    query_bytes_max: u64,
}

impl Readers {
    pub(super) fn new(memory: Arc<MemoryBudget>, query_bytes_max: u64) -> Self {
        Self { state: Mutex::default(), memory, query_bytes_max }
    }

    /// True if queries hold more than their share, with what is kept for them here.
    fn is_over_share(&self) -> bool {
        self.memory.used_by(MemoryOwner::Query) > self.query_bytes_max
    }

    /// Registers a query at `version`.
    pub(super) fn register(&self, version: CatalogVersion) -> Result<ReaderId, QueryError> {
        let mut state = self.state.lock();
        if version < state.released {
            return Err(QueryError::SnapshotTooOld { version, oldest: state.released });
        }
        Ok(state.add(Reader { version, pending: Pending::Everything }))
    }

    /// The oldest version that can be read without missing rows.
    pub(super) fn oldest_served(&self) -> CatalogVersion {
        self.state.lock().released
    }

    /// Registers a scan of `table` by a query at `version`, which is registered itself. `None` if
    /// that query had to give way.
    pub(super) fn open(
        &self,
        query: ReaderId,
        version: CatalogVersion,
        table: TableId,
    ) -> Option<ReaderId> {
        let mut state = self.state.lock();
        state.readers.contains_key(&query).then(|| {
            state.add(Reader {
                version,
                pending: Pending::Table { table, visited: BTreeSet::new() },
            })
        })
    }

    /// True unless the reader had to give way.
    pub(super) fn is_registered(&self, reader: ReaderId) -> bool {
        self.state.lock().readers.contains_key(&reader)
    }

    /// The scan has had its turn at `partition`.
    pub(super) fn visited(&self, scan: ReaderId, partition: PartitionId) {
        let mut state = self.state.lock();
        if let Some(Reader { pending: Pending::Table { visited, .. }, .. }) =
            state.readers.get_mut(&scan)
        {
            visited.insert(partition);
        }
        if let Some((partition, _)) = state.keeping.get(&partition) {
            let partition = Arc::clone(partition);
            state.release(&partition);
        }
    }

    /// Forgets a reader that is done.
    pub(super) fn remove(&self, reader: ReaderId) {
        let mut state = self.state.lock();
        if state.readers.remove(&reader).is_some() {
            state.release_all();
        }
    }

    /// Lets go of what no reader needs of `partition`. If queries hold more than they may and some of
    /// it is kept here, the oldest readers give way: no writer waits for a reader.
    pub(super) fn sweep(&self, partition: &Arc<Partition>) {
        let mut state = self.state.lock();
        state.release(partition);
        while state.kept_bytes() > 0 && self.is_over_share() && !state.readers.is_empty() {
            let oldest = state.readers.pop_first();
            tracing::warn!(
                reader = ?oldest.map(|(id, reader)| (id, reader.version)),
                "a query kept more in memory than its share and ends with a snapshot too old"
            );
            state.release_all();
        }
    }
}

impl State {
    fn add(&mut self, reader: Reader) -> ReaderId {
        let id = ReaderId(self.next);
        self.next += 1;
        self.readers.insert(id, reader);
        id
    }

    fn kept_bytes(&self) -> u64 {
        self.keeping.values().map(|(_, bytes)| bytes).sum()
    }

    fn release_all(&mut self) {
        let keeping: Vec<_> =
            self.keeping.values().map(|(partition, _)| Arc::clone(partition)).collect();
        for partition in keeping {
            self.release(&partition);
        }
    }

    fn release(&mut self, partition: &Arc<Partition>) {
        let (table, id) = (partition.table().id, partition.id());
        let readers = &self.readers;
        let needed = |version| {
            !fault::is_planted(Bug::ReleaseBeforeReaders)
                && readers.values().any(|reader| reader.needs(table, id, version))
        };
        let (released, kept) = partition.release(needed);
        self.released = self.released.max(released.unwrap_or_default());
        if kept > 0 {
            self.keeping.insert(id, (Arc::clone(partition), kept));
        } else {
            self.keeping.remove(&id);
        }
    }
}
