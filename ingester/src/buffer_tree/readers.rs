//! Which queries run, and so what has to be kept for them.
//!
//! A reader of version V needs a chunk that version W > V put into a file until it has had its turn
//! at the chunk's partition. Registration and release meet under one lock: a reader is either known
//! before a chunk is let go, or finds that its version is too old and takes a newer one.
//!
//! What is kept here for readers and what their streams have taken is bounded together: over the
//! share of queries the oldest reader gives way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use types::fault::{self, Bug};
use types::seam::{GiveWay, QueryError};
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
    /// Those of a scan, which hold what it has taken.
    streams: Vec<Weak<dyn GiveWay>>,
}

impl Reader {
    const fn new(version: CatalogVersion, pending: Pending) -> Self {
        Self { version, pending, streams: Vec::new() }
    }

    /// True if a stream of it is not over yet.
    fn is_read(&self) -> bool {
        self.streams.iter().any(|stream| stream.strong_count() > 0)
    }

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
    /// The highest version whose chunks were let go, or never came back with a restart: who reads an
    /// older one would miss rows.
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

    /// What is in files of `version` does not come back from the log, so no older version is served.
    pub(crate) fn begin_at(&self, version: CatalogVersion) {
        let mut state = self.state.lock();
        state.released = state.released.max(version);
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
        Ok(state.add(Reader::new(version, Pending::Everything)))
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
            let pending = Pending::Table { table, visited: BTreeSet::new() };
            state.add(Reader::new(version, pending))
        })
    }

    /// Has `stream` cut when `scan` gives way. False if it has had to.
    pub(super) fn may_be_cut(&self, scan: ReaderId, stream: Weak<dyn GiveWay>) -> bool {
        let mut state = self.state.lock();
        let scan = state.readers.get_mut(&scan);
        scan.map(|scan| scan.streams.push(stream)).is_some()
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

    /// How many partitions are there for readers only.
    pub(crate) fn kept_partitions(&self) -> usize {
        let state = self.state.lock();
        let partitions = state.keeping.values().map(|(partition, _)| partition);
        partitions.filter(|partition| partition.size().rows == 0).count()
    }

    /// Lets go of what no reader needs of `partition`. While queries hold more than they may, the
    /// oldest readers give way: no writer waits for a reader.
    pub(super) fn sweep(&self, partition: &Arc<Partition>) {
        self.state.lock().release(partition);
        while self.is_over_share() {
            // Streams let go when the lock is free: with one may go all that its scan has.
            let Some((streams, why)) = self.oldest_gives_way() else { return };
            let streams: Vec<_> = streams.iter().filter_map(Weak::upgrade).collect();
            let let_go = streams.iter().filter(|stream| stream.give_way(why.clone())).count();
            if let_go < streams.len() {
                // What the others hold goes in a moment, and may be enough.
                return;
            }
        }
    }

    /// Forgets the oldest reader for whom something is kept, here or in its streams; nothing if
    /// there is none.
    fn oldest_gives_way(&self) -> Option<(Vec<Weak<dyn GiveWay>>, QueryError)> {
        let mut state = self.state.lock();
        let is_kept_here = state.kept_bytes() > 0;
        let mut readers = state.readers.iter();
        let oldest = readers.find(|(_, reader)| is_kept_here || reader.is_read());
        let id = oldest.map(|(id, _)| *id)?;
        let Reader { version, streams, .. } = state.readers.remove(&id)?;
        state.release_all();
        tracing::warn!(
            reader = ?(id, version),
            "a query kept more in memory than its share and ends with a snapshot too old"
        );
        Some((streams, QueryError::SnapshotTooOld { version, oldest: state.released }))
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
