//! A buffer that does what `QueryExec` promises, and no more.

#![allow(dead_code, reason = "the tests of the front ends have it too; each use a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use types::seam::{PartitionRef, QueryError, QueryExec, QueryReader, TableReader};
use types::{
    CatalogVersion, Chunk, Epoch, LogId, Lsn, LsnRange, PartitionId, PartitionKey, Position,
    TableId,
};

/// Called at each turn, before its chunks are taken.
type AtTurn = Box<dyn FnMut(&PartitionKey) + Send>;

/// The buffer.
#[derive(Clone)]
pub(crate) struct FakeBuffer {
    log: (LogId, Epoch),
    state: Arc<Mutex<State>>,
    at_turn: Arc<Mutex<Option<AtTurn>>>,
}

#[derive(Default)]
struct State {
    published: Lsn,
    partitions: BTreeMap<(TableId, PartitionKey), Vec<Held>>,
    readers: BTreeMap<u64, Reader>,
    next_reader: u64,
    /// Chunks that lower versions would need are gone.
    oldest: CatalogVersion,
    turns: usize,
}

struct Held {
    chunk: Chunk,
    replaced_at: Option<CatalogVersion>,
}

/// Who may still ask for chunks.
struct Reader {
    version: CatalogVersion,
    /// The table and the partitions that had their turn; nothing for a query that may still open
    /// any table.
    scan: Option<(TableId, BTreeSet<PartitionKey>)>,
}

impl Reader {
    fn may_ask_for(&self, place: &(TableId, PartitionKey), replaced_at: CatalogVersion) -> bool {
        let turn_is_before_it = match &self.scan {
            None => true,
            Some((table, had)) => *table == place.0 && !had.contains(&place.1),
        };
        self.version < replaced_at && turn_is_before_it
    }
}

impl FakeBuffer {
    pub(crate) fn new(log: (LogId, Epoch)) -> Self {
        Self { log, state: Arc::default(), at_turn: Arc::default() }
    }

    /// Makes a chunk visible.
    pub(crate) fn publish(&self, table: TableId, key: &PartitionKey, chunk: Chunk) {
        let mut state = self.state.lock();
        state.published = state.published.max(chunk.lsns.last());
        let held = state.partitions.entry((table, key.clone())).or_default();
        // A chunk that has grown takes the place of what it has grown from.
        held.retain(|held| !chunk.lsns.covers(held.chunk.lsns));
        held.push(Held { chunk, replaced_at: None });
        held.sort_by_key(|held| held.chunk.lsns);
    }

    /// The chunks of the partition at `place` within `lsns` are in a file since `version`. Batches
    /// of other partitions lie between them, and are in no file by that.
    pub(crate) fn replace(
        &self,
        place: &(TableId, PartitionKey),
        lsns: LsnRange,
        version: CatalogVersion,
    ) {
        let mut state = self.state.lock();
        for held in state.partitions.get_mut(place).into_iter().flatten() {
            if lsns.covers(held.chunk.lsns) {
                held.replaced_at = Some(version);
            }
        }
        state.let_go(false);
    }

    /// Serves no version below `oldest`, as if chunks were gone that it would need.
    pub(crate) fn forget_below(&self, oldest: CatalogVersion) {
        self.state.lock().oldest = oldest;
    }

    /// Lets all chunks go that are in files, whoever may still need them.
    pub(crate) fn run_short_of_memory(&self) {
        self.state.lock().let_go(true);
    }

    /// Has `at_turn` called at each turn from now on.
    pub(crate) fn at_turn(&self, at_turn: impl FnMut(&PartitionKey) + Send + 'static) {
        *self.at_turn.lock() = Some(Box::new(at_turn));
    }

    /// How many chunks are held, those included that are kept for readers only.
    pub(crate) fn chunks(&self) -> usize {
        self.state.lock().partitions.values().map(Vec::len).sum()
    }

    /// How many turns there were.
    pub(crate) fn turns(&self) -> usize {
        self.state.lock().turns
    }

    /// How many queries and scans are registered.
    pub(crate) fn readers(&self) -> usize {
        self.state.lock().readers.len()
    }

    /// How many queries are registered; scans are not counted.
    pub(crate) fn queries(&self) -> usize {
        self.state.lock().readers.values().filter(|reader| reader.scan.is_none()).count()
    }

    fn register_reader(&self, reader: Reader) -> u64 {
        let mut state = self.state.lock();
        let number = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(number, reader);
        number
    }
}

impl State {
    fn let_go(&mut self, by_force: bool) {
        let Self { partitions, readers, oldest, .. } = self;
        for (place, held) in partitions.iter_mut() {
            held.retain(|held| {
                let Some(replaced_at) = held.replaced_at else {
                    return true;
                };
                let needed = readers.values().any(|reader| reader.may_ask_for(place, replaced_at));
                if !needed || by_force {
                    *oldest = replaced_at.max(*oldest);
                }
                needed && !by_force
            });
        }
        partitions.retain(|_, held| !held.is_empty());
        if by_force {
            readers.retain(|_, reader| reader.version >= *oldest);
        }
    }
}

impl fmt::Debug for FakeBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeBuffer").field("log", &self.log.0).finish_non_exhaustive()
    }
}

#[async_trait]
impl QueryExec for FakeBuffer {
    fn register(&self, version: CatalogVersion) -> Result<Arc<dyn QueryReader>, QueryError> {
        let oldest = self.state.lock().oldest;
        if version < oldest {
            return Err(QueryError::SnapshotTooOld { version, oldest });
        }
        let number = self.register_reader(Reader { version, scan: None });
        Ok(Arc::new(Query { buffer: self.clone(), number, version }))
    }

    fn log(&self) -> (LogId, Epoch) {
        self.log
    }

    fn published(&self) -> Lsn {
        self.state.lock().published
    }

    async fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), QueryError> {
        let published = self.published();
        if position.log == self.log.0 && position.lsn <= published {
            return Ok(());
        }
        tokio::time::sleep(timeout).await;
        Err(QueryError::PositionNotReached { wanted: position, published })
    }
}

#[derive(Debug)]
struct Query {
    buffer: FakeBuffer,
    number: u64,
    version: CatalogVersion,
}

impl QueryReader for Query {
    fn version(&self) -> CatalogVersion {
        self.version
    }

    fn open(&self, table: TableId) -> Arc<dyn TableReader> {
        let partitions = self.buffer.state.lock().partitions.keys().cloned().collect::<Vec<_>>();
        let of_table = partitions.into_iter().filter(|(of, _)| *of == table);
        let partitions =
            of_table.map(|(_, key)| PartitionRef { id: PartitionId::of(table, &key), key });
        let reader = Reader { version: self.version, scan: Some((table, BTreeSet::new())) };
        Arc::new(Scan {
            buffer: self.buffer.clone(),
            number: self.buffer.register_reader(reader),
            table,
            version: self.version,
            partitions: partitions.collect(),
        })
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        let mut state = self.buffer.state.lock();
        state.readers.remove(&self.number);
        state.let_go(false);
    }
}

#[derive(Debug)]
struct Scan {
    buffer: FakeBuffer,
    number: u64,
    table: TableId,
    version: CatalogVersion,
    partitions: Vec<PartitionRef>,
}

impl Scan {
    /// Whoever had to give way is told so, whatever is left of its partitions.
    fn check_registered(&self) -> Result<(), QueryError> {
        let state = self.buffer.state.lock();
        let (version, oldest) = (self.version, state.oldest);
        let registered = state.readers.contains_key(&self.number);
        registered.then_some(()).ok_or(QueryError::SnapshotTooOld { version, oldest })
    }
}

impl TableReader for Scan {
    fn partitions(&self) -> &[PartitionRef] {
        &self.partitions
    }

    fn take(
        &self,
        partition: PartitionId,
        in_files: &[LsnRange],
    ) -> Result<Vec<Chunk>, QueryError> {
        self.check_registered()?;
        let key = self.buffer.state.lock().partitions.keys().find_map(|(table, key)| {
            let found = *table == self.table && PartitionId::of(*table, key) == partition;
            found.then(|| key.clone())
        });
        let Some(key) = key else { return Ok(Vec::new()) };
        if let Some(at_turn) = &mut *self.buffer.at_turn.lock() {
            at_turn(&key);
        }
        self.check_registered()?;
        let mut state = self.buffer.state.lock();
        state.turns += 1;
        let held = state.partitions.get(&(self.table, key.clone()));
        let chunks = held.into_iter().flatten().map(|held| held.chunk.clone());
        let chunks = chunks.filter(|chunk| !in_files.iter().any(|range| range.covers(chunk.lsns)));
        let chunks = chunks.collect();
        if let Some(Reader { scan: Some((_, had)), .. }) = state.readers.get_mut(&self.number) {
            had.insert(key);
        }
        state.let_go(false);
        Ok(chunks)
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        let mut state = self.buffer.state.lock();
        state.readers.remove(&self.number);
        state.let_go(false);
    }
}
