//! Tests of the whole actor, against a catalog and a store in memory that fail on demand.

mod commits;
mod faults;
mod known_faults;
mod large_jobs;
mod order;
mod permits;
mod quarantine;
mod seeds;

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use bytes::Bytes;
use catalog::{Action, CatalogRead, CatalogWrite, Command, File, MemoryCatalog, Partition};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use types::effect::{ManualClock, Randomness, SeededRandomness};
use types::schema::TableChange;
use types::{
    ColumnDef, ColumnKind, Epoch, FieldType, LogId, Lsn, MemoryBudget, SchemaChange, SchemaVersion,
    SortKey,
};

use crate::fixture::{Row, database, job_from, table, tag};
use crate::format::encoder::{Encoder, FileEncoder};
use crate::store::{FaultyStore, OWNER, take_over};
use crate::{
    Config, CpuPool, Deps, Outcome, PersistHandle, PersistJob, PersistObserver, Receipt, Settled,
};

/// Longer than anything here takes: a test that would wait for ever fails by it.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// So many files are encoded at once, whatever the number of workers.
const CPU_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// A catalog with one table, a store, and who is told of jobs that ended.
#[derive(Debug)]
struct World {
    catalog: Arc<MemoryCatalog>,
    store: Arc<FaultyStore>,
    observer: Arc<Recorder>,
    randomness: Arc<SeededRandomness>,
    cpu: Arc<CpuPool>,
    memory: Arc<MemoryBudget>,
}

/// Notes what it is told.
#[derive(Debug, Default)]
struct Recorder {
    settled: Mutex<Vec<Settled>>,
}

impl PersistObserver for Recorder {
    fn settled(&self, settled: &Settled) {
        self.settled.lock().push(settled.clone());
    }
}

fn log(number: u64) -> LogId {
    LogId::from_random(number, number)
}

/// A world whose table has the tags `host` and `region`, the tags given, and the fields `x` and `y`.
async fn world(seed: u64, more_tags: &[&str]) -> World {
    let world = World {
        catalog: Arc::default(),
        store: FaultyStore::new(),
        observer: Arc::default(),
        randomness: Arc::new(SeededRandomness::new(seed)),
        cpu: Arc::new(CpuPool::start(CPU_THREADS).expect("threads start")),
        memory: MemoryBudget::new(1 << 20),
    };
    let column = |name: &str, kind| ColumnDef { name: tag(name), kind };
    let tags = ["host", "region"].iter().chain(more_tags);
    let mut add: Vec<ColumnDef> = tags.map(|name| column(name, ColumnKind::Tag)).collect();
    add.push(column("x", ColumnKind::Field(FieldType::I64)));
    add.push(column("y", ColumnKind::Field(FieldType::F64)));
    let change = SchemaChange {
        database: (*database()).clone(),
        create_database: true,
        tables: vec![TableChange { table: (*table()).clone(), based_on: SchemaVersion::ZERO, add }],
    };
    world.apply(Action::ChangeSchema(change)).await;
    world
}

impl World {
    async fn apply(&self, action: Action) {
        let command = Command::new(action, &*self.randomness);
        self.catalog.apply(command).await.expect("is taken");
    }

    async fn open_log(&self, number: u64, epoch: u64) {
        let (log, epoch) = (log(number), Epoch::new(epoch));
        self.apply(Action::OpenLog { log, epoch }).await;
    }

    fn deps(&self, number: u64) -> Deps {
        Deps {
            catalog: Arc::clone(&self.catalog) as _,
            store: Arc::clone(&self.store) as _,
            clock: Arc::new(ManualClock::at(0)),
            randomness: Arc::clone(&self.randomness) as _,
            observer: Arc::clone(&self.observer) as _,
            log: log(number),
            epoch: Epoch::new(1),
            published: Arc::new(|| Lsn::new(1_000_000)),
            cpu: Arc::clone(&self.cpu) as _,
            memory: Arc::clone(&self.memory),
        }
    }

    /// The handle of log 1, registered.
    async fn handle(&self, config: &Config) -> PersistHandle {
        self.open_log(1, 1).await;
        owning(PersistHandle::new(config.clone(), self.deps(1))).await
    }

    /// The handles of log 1 and log 2, registered. Each believes that the prefix is its own: the
    /// second as after a restore that took it over while the first was still alive.
    async fn two_handles(&self, config: &Config) -> [PersistHandle; 2] {
        let first = self.handle(config).await;
        self.open_log(2, 1).await;
        take_over(&*self.store, log(2)).await.expect("the store works");
        let second = PersistHandle::new(config.clone(), self.deps(2));
        [first, owning(second).await]
    }

    /// As [`World::handle`], with an encoder around the real one.
    async fn handle_with<E: Encoder + 'static>(
        &self,
        config: &Config,
        around: impl FnOnce(FileEncoder) -> Arc<E>,
    ) -> PersistHandle {
        self.open_log(1, 1).await;
        let encoder = around(FileEncoder { row_group_rows: config.row_group_rows.get() });
        let handle = PersistHandle::with_encoder(config.clone(), self.deps(1), encoder);
        owning(handle).await
    }

    /// The objects of the store, but for the one that names its owner.
    async fn objects(&self) -> Vec<Path> {
        let mut keys = self.store.keys().await;
        keys.retain(|key| key.as_ref() != OWNER);
        keys
    }

    /// The one partition.
    fn partition(&self) -> Arc<Partition> {
        let snapshot = self.catalog.snapshot();
        let (_, table) = snapshot.table_by_id(table().id).expect("is there");
        let partitions: Vec<_> = table.partitions.values().collect();
        assert_eq!(partitions.len(), 1, "the tests write one day");
        Arc::clone(partitions[0])
    }

    async fn bytes_of(&self, file: &File) -> Bytes {
        let object = self.store.get(&path_of(file)).await.expect("is there");
        object.bytes().await.expect("is read")
    }

    /// The rows of a Parquet file.
    async fn rows_of(&self, file: &File) -> RecordBatch {
        let bytes = self.bytes_of(file).await;
        assert_eq!(bytes.len() as u64, file.bytes);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a footer");
        let reader = reader.with_batch_size(1 << 20).build().expect("is read");
        let batches: Vec<_> = reader.map(|batch| batch.expect("is read")).collect();
        arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one schema")
    }

    /// Checks that each file of the catalog is whole and sorted by the partition's key, and that no
    /// object is there beside them.
    async fn check_files(&self) {
        let partition = self.partition();
        for file in &partition.files {
            let rows = self.rows_of(file).await;
            assert_eq!(rows.num_rows() as u64, file.rows);
            let points = points_in_order(&rows, &partition.sort_key);
            assert!(points.is_sorted_by(|a, b| a < b), "{} is sorted, each point once", file.path);
        }
        let mut paths: Vec<Path> = partition.files.iter().map(|file| path_of(file)).collect();
        paths.sort();
        assert_eq!(self.objects().await, paths);
    }

    /// Checks that the files hold exactly these ranges, in this order.
    fn check_ranges(&self, first_lsns: &[u64]) {
        let ranges: Vec<(u64, u64)> = self
            .partition()
            .files
            .iter()
            .map(|file| (file.lsns.first().get(), file.lsns.last().get()))
            .collect();
        let expected: Vec<_> = first_lsns.iter().map(|first| (*first, first + 9)).collect();
        assert_eq!(ranges, expected);
    }
}

/// The handle once the prefix is its own, so that a test's puts and faults are those of files.
async fn owning(handle: PersistHandle) -> PersistHandle {
    handle.claim_prefix().await.expect("the prefix is free");
    handle
}

fn path_of(file: &File) -> Path {
    Path::parse(&file.path).expect("a key")
}

/// The values of the key's tags and the time of each row.
fn points_in_order(rows: &RecordBatch, key: &SortKey) -> Vec<(Vec<Option<String>>, i64)> {
    let time = rows["time"].as_primitive::<TimestampNanosecondType>();
    let value = |name: &str, row: usize| {
        let column = rows.column_by_name(name)?.as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let tags = |row| key.tags().iter().map(|name| value(name.as_str(), row)).collect();
    (0..rows.num_rows()).map(|row| (tags(row), time.value(row))).collect()
}

/// Waits next to nothing before it tries again.
fn config(workers: usize) -> Config {
    Config {
        retry_backoff_min: Duration::from_micros(10),
        retry_backoff_max: Duration::from_micros(100),
        ..Config::for_cores(NonZeroUsize::new(workers).expect("not zero"))
    }
}

/// A row of each of so many hosts, in two regions, with these tags beside.
fn rows(hosts: usize, more: &[(&'static str, &str)]) -> Vec<Row> {
    let row = |host: usize| {
        let own = [("host", format!("h{host}")), ("region", format!("r{}", host % 2))];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Row {
            tags: own.into_iter().chain(more).collect(),
            time: 1_000 - host as i64,
            x: Some(host as i64),
            y: Some(host as f64),
        }
    };
    (0..hosts).map(row).collect()
}

/// A job of one chunk with the LSNs from `first` to `first + 9`.
fn job(first: u64) -> PersistJob {
    job_from(first, &[&rows(8, &[])])
}

/// A job with one tag that no other job has.
fn job_with_tag(first: u64, name: &'static str) -> PersistJob {
    job_from(first, &[&rows(8, &[(name, "value")])])
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(HANGS_AFTER, future).await;
    done.expect("the test would wait for ever")
}

async fn committed(receipt: Receipt) -> Arc<File> {
    match in_time(receipt).await {
        Ok(Outcome::Committed { file, .. }) => file,
        other => panic!("{other:?}"),
    }
}

/// Waits until `condition` holds, which other tasks bring about.
async fn until(condition: impl Fn() -> bool) {
    in_time(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
