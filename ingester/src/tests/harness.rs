//! An ingester on a directory of its own, to be ended and started again.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catalog::MemoryCatalog;
use catalog::{CatalogRead, CatalogWrite};
use object_store::memory::InMemory;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use types::effect::{Disk, InPlace, ManualClock, Pool, SeededRandomness, SystemThreads};
use types::seam::DmlError;
use types::{
    BatchId, Chunk, ColumnDef, ColumnKind, ColumnName, FieldType, LsnRange, MemoryBudget,
    PartitionBatch, PartitionId, PartitionKey, Position, SchemaChange, SchemaVersion, TableId,
    Write,
};
use wal::disk::RealDisk;

use super::fixture::{database, rows, table};
use crate::{Config, Deps, Ingester, Phase, start};

/// What outlives an ingester: its directory, its catalog, its store.
pub(super) struct Harness {
    dir: TempDir,
    /// The log's disk.
    pub(super) disk: Arc<dyn Disk>,
    pub(super) catalog: Arc<MemoryCatalog>,
    pub(super) store: Arc<InMemory>,
    pub(super) clock: Arc<ManualClock>,
    randomness: Arc<SeededRandomness>,
    pub(super) config: Config,
    pub(super) memory: Arc<MemoryBudget>,
}

#[derive(Debug)]
struct PanicOnFatal;

impl wal::Fatal for PanicOnFatal {
    fn end(&self, error: &wal::Error) -> ! {
        panic!("the log cannot go on: {error}")
    }
}

/// The runtime's threads for what blocks.
#[derive(Debug)]
pub(super) struct BlockingPool;

impl Pool for BlockingPool {
    #[allow(clippy::disallowed_methods, reason = "the pool of these tests")]
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        drop(tokio::task::spawn_blocking(work));
    }
}

impl Harness {
    pub(super) fn new() -> Self {
        let wal = wal::Config { segment_size: 1 << 20, ..wal::Config::default() };
        let two = NonZeroUsize::new(2).expect("not zero");
        let config = Config {
            wal,
            persist: persist::Config::for_cores(two),
            hot_partition_size: 64 << 20,
            buffered_partitions_max: 100_000,
            persist_max_age: Duration::from_secs(3_600),
            rotation_period: Duration::from_secs(300),
            admission_wait: Duration::from_secs(2),
        };
        Self {
            dir: TempDir::new().expect("a directory"),
            disk: Arc::new(RealDisk),
            catalog: Arc::new(MemoryCatalog::default()),
            store: Arc::new(InMemory::new()),
            clock: Arc::new(ManualClock::default()),
            randomness: Arc::new(SeededRandomness::new(7)),
            config,
            memory: MemoryBudget::new(1 << 30),
        }
    }

    pub(super) fn wal_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn wal_deps(&self) -> wal::Deps {
        wal::Deps {
            disk: Arc::clone(&self.disk),
            clock: Arc::clone(&self.clock) as _,
            randomness: Arc::clone(&self.randomness) as _,
            threads: Arc::new(SystemThreads),
            fatal: Arc::new(PanicOnFatal),
        }
    }

    /// Starts an ingester and waits until it is ready.
    pub(super) async fn start(&self) -> Node {
        let node = self.begin().await;
        while node.ingester.phase() != Phase::Ready {
            tokio::task::yield_now().await;
        }
        node
    }

    /// Starts an ingester, which may have to replay its log first.
    pub(super) async fn begin(&self) -> Node {
        let deps = Deps {
            wal_dir: self.wal_dir().to_owned(),
            wal: self.wal_deps(),
            catalog: Arc::clone(&self.catalog) as Arc<dyn CatalogWrite>,
            store: Arc::clone(&self.store) as _,
            cpu: Arc::new(InPlace),
            clock: Arc::clone(&self.clock) as _,
            randomness: Arc::clone(&self.randomness) as _,
            pool: Arc::new(BlockingPool),
            memory: Arc::clone(&self.memory),
        };
        let mut registry = Registry::default();
        let ingester = start(self.config.clone(), deps, &mut registry).await.expect("starts");
        let catalog = Arc::clone(&self.catalog);
        Node { ingester, catalog }
    }

    /// The names of the log's segments.
    pub(super) fn segments(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.wal_dir()).expect("the directory is there");
        let names = entries.map(|entry| entry.expect("is readable").file_name());
        let names = names.map(|name| name.into_string().expect("is text"));
        names.filter(|name| name.ends_with(".wal")).collect()
    }
}

/// A running ingester.
pub(super) struct Node {
    pub(super) ingester: Arc<dyn Ingester>,
    pub(super) catalog: Arc<MemoryCatalog>,
}

impl Node {
    /// Writes `count` rows to table `cpu`, a second apart from `first_second` on, all on one day.
    pub(super) async fn write(
        &self,
        count: usize,
        first_second: i64,
    ) -> Result<Position, DmlError> {
        let batch = Arc::new(rows(count, first_second));
        let known = self.catalog.snapshot().table_by_id(TableId::new(1)).is_some();
        // For the rows, and for what is encoded of them.
        let memory = self.ingester.gate().reserve(2 * batch.size_bytes()).await?;
        let key = PartitionKey::of_time(first_second * 1_000_000_000);
        let write = Write {
            database: database(),
            batches: vec![PartitionBatch::new(table("cpu", 1), key, batch)],
            schema_change: (!known).then(create_cpu),
            batch_id: BatchId::default(),
            memory,
        };
        self.ingester.sink().apply(write).await
    }

    /// The chunks of one day that are in no file.
    pub(super) fn buffered(&self, day: i64) -> Vec<Chunk> {
        let snapshot = self.catalog.snapshot();
        let key = PartitionKey::of_day(day);
        let id = PartitionId::of(TableId::new(1), &key);
        let in_files: Vec<LsnRange> = snapshot
            .table_by_id(TableId::new(1))
            .and_then(|(_, table)| table.partitions.get(&key))
            .map_or_else(Vec::new, |partition| {
                partition.files.iter().map(|file| file.lsns).collect()
            });
        let query = self.ingester.buffer().register(snapshot.version()).expect("is the newest");
        let scan = query.open(TableId::new(1));
        scan.take(id, &in_files).expect("nobody keeps too much")
    }

    /// Rows of one day in the buffer and in files; each batch once.
    pub(super) fn row_count(&self, day: i64) -> u64 {
        let buffered: u64 = self.buffered(day).iter().map(|chunk| chunk.batch.rows() as u64).sum();
        let snapshot = self.catalog.snapshot();
        let table = snapshot.table_by_id(TableId::new(1));
        let partition =
            table.and_then(|(_, table)| table.partitions.get(&PartitionKey::of_day(day)));
        let files = partition.into_iter().flat_map(|partition| &partition.files);
        buffered + files.map(|file| file.rows).sum::<u64>()
    }

    /// Ends without persisting, as a kill would; what is in the log stays there.
    pub(super) async fn abandon(self) {
        self.ingester.close().await.expect("the log closes");
    }
}

pub(super) fn create_cpu() -> SchemaChange {
    let table = table("cpu", 1);
    let column =
        |name: &str, kind| ColumnDef { name: ColumnName::new(name).expect("a good name"), kind };
    SchemaChange {
        database: types::DatabaseRef::clone(&database()),
        create_database: true,
        tables: vec![types::schema::TableChange {
            table: types::TableRef::clone(&table),
            based_on: SchemaVersion::ZERO,
            add: vec![
                column("host", ColumnKind::Tag),
                column("x", ColumnKind::Field(FieldType::I64)),
            ],
        }],
    }
}
