//! An engine over a catalog and a buffer in memory, for the tests of the front ends.

// The buffer of the tests of reading.
#[path = "../../tests/reading/buffer.rs"]
mod buffer;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use catalog::{
    Action, AddFile, BlockChecksums, CatalogWrite, Command, FileKind, MemoryCatalog, NewFile,
    SortKeyChange,
};
use object_store::memory::InMemory;
use types::batch::{BatchBuilder, FieldValue, TagSetBuilder};
use types::effect::{InPlace, ManualClock, SeededRandomness};
use types::partition::DAY_NS;
use types::schema::TableChange;
use types::{
    CatalogVersion, Chunk, ColumnDef, ColumnKind, ColumnName, DatabaseId, DatabaseName,
    DatabaseRef, Epoch, FieldType, FileId, LogId, Lsn, LsnRange, MemoryBudget, PartitionKey,
    Position, RequestId, SchemaChange, SharedReservation, SortKey, TableId, TableName, TableRef,
    Term,
};

use self::buffer::FakeBuffer;
use crate::config::{Config, Deps};
use crate::engine::QueryEngine;

/// The log of the buffer.
pub(crate) const LOG: LogId = LogId::from_random(7, 7);
/// Its opening.
pub(crate) const EPOCH: Epoch = Epoch::new(2);
/// The table `cpu` of the database `db`.
pub(crate) const TABLE: TableId = TableId::new(11);
/// 2013-01-01T05:17:00.
pub(crate) const TIME: i64 = 1_357_017_420_000_000_000;

/// The engine and what it works with.
pub(crate) struct Fixture {
    pub(crate) engine: QueryEngine,
    pub(crate) catalog: Arc<MemoryCatalog>,
    pub(crate) clock: Arc<ManualClock>,
    buffer: FakeBuffer,
}

impl Fixture {
    /// A table `cpu` with three rows in the buffer: LSN 1 and 2 on one day, LSN 3, which has other
    /// columns, on the next.
    pub(crate) async fn new() -> Self {
        let catalog = Arc::new(MemoryCatalog::default());
        let columns = [
            ("host", ColumnKind::Tag),
            ("n", ColumnKind::Field(FieldType::I64)),
            ("region", ColumnKind::Tag),
            ("up", ColumnKind::Field(FieldType::Bool)),
        ];
        let table = TableRef { id: TABLE, name: TableName::new("cpu").expect("a good name") };
        let name = DatabaseName::new("db").expect("a good name");
        let add = columns.map(|(name, kind)| ColumnDef { name: column(name), kind });
        let change = SchemaChange {
            database: DatabaseRef { id: DatabaseId::new(1), name },
            create_database: true,
            tables: vec![TableChange { table, based_on: Default::default(), add: add.into() }],
        };
        apply(&catalog, Action::ChangeSchema(change)).await;
        apply(&catalog, Action::OpenLog { log: LOG, epoch: EPOCH }).await;
        let clock = Arc::new(ManualClock::at(TIME));
        let buffer = three_rows();
        let engine = engine(Arc::clone(&catalog), Arc::clone(&clock), buffer.clone());
        Self { engine, catalog, clock, buffer }
    }

    /// How many queries are registered with the buffer; scans are not counted.
    pub(crate) fn registered(&self) -> usize {
        self.buffer.queries()
    }

    /// Commits a file that holds LSN 1, as a persist job would, and returns the version.
    pub(crate) async fn persist_first(&self) -> CatalogVersion {
        let file = NewFile {
            id: FileId::from_random(1, 1),
            path: "data/db/cpu/1.parquet".to_owned(),
            kind: FileKind::Parquet,
            term: Term::ZERO,
            lsns: LsnRange::of(Lsn::new(1)),
            rows: 1,
            bytes: 1,
            time_min: TIME,
            time_max: TIME,
            checksums: BlockChecksums::default(),
        };
        let add = AddFile {
            log: LOG,
            epoch: EPOCH,
            log_lsn: Lsn::new(3),
            table: TABLE,
            partition: PartitionKey::of_time(TIME),
            sort_key: SortKeyChange { expected: None, new: SortKey::new(vec![column("host")]) },
            file,
        };
        apply(&self.catalog, Action::AddFile(add)).await
    }
}

/// A position that this node has not reached.
pub(crate) const fn far_position() -> Position {
    Position { log: LOG, epoch: EPOCH, lsn: Lsn::new(99) }
}

async fn apply(catalog: &MemoryCatalog, action: Action) -> CatalogVersion {
    let next = catalog::CatalogRead::snapshot(catalog).version().get();
    let request = RequestId::from_random(next, 0);
    let committed = catalog.apply(Command { request, action }).await;
    committed.expect("the command is good").version
}

fn engine(catalog: Arc<MemoryCatalog>, clock: Arc<ManualClock>, buffer: FakeBuffer) -> QueryEngine {
    let one = NonZeroUsize::MIN;
    let config = Config {
        query_timeout: Duration::from_secs(300),
        queries_max: one,
        memory_limit_bytes: 64 * 1024 * 1024,
        position_timeout: Duration::ZERO,
        slow_query: Duration::from_secs(10),
        target_partitions: one,
    };
    let deps = Deps {
        catalog,
        buffer: Arc::new(buffer),
        store: Arc::new(InMemory::new()),
        clock,
        randomness: Arc::new(SeededRandomness::new(1)),
        pool: Arc::new(InPlace),
        memory: MemoryBudget::new(256 * 1024 * 1024),
    };
    QueryEngine::new(config, deps).expect("an engine")
}

fn column(name: &str) -> ColumnName {
    ColumnName::new(name).expect("a good name")
}

/// Three rows, each a chunk of its own with the LSN of its place, for every version but the first.
fn three_rows() -> FakeBuffer {
    let buffer = FakeBuffer::new((LOG, EPOCH));
    buffer.forget_below(CatalogVersion::new(2));
    let rows = [
        (vec![("host", "a")], TIME, ("n", FieldValue::I64(1))),
        (vec![("host", "b")], TIME + 1, ("n", FieldValue::I64(-2))),
        (vec![("host", "a"), ("region", "eu")], TIME + DAY_NS, ("up", FieldValue::Bool(true))),
    ];
    for (lsn, (mut tags, time, (name, value))) in (1..).map(Lsn::new).zip(rows) {
        let mut builder = BatchBuilder::new();
        let mut tag_set = TagSetBuilder::default();
        let name = column(name);
        let fields = [(&name, value)].into_iter();
        builder.push_row(tag_set.build(&mut tags), time, fields).expect("the row fits");
        let (lsns, batch) = (LsnRange::of(lsn), Arc::new(builder.finish()));
        let chunk = Chunk { lsns, batch, memory: SharedReservation::default() };
        buffer.publish(TABLE, &PartitionKey::of_time(time), chunk);
    }
    buffer
}
