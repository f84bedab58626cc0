//! A node in small: catalog, store, buffer and engine, with rows that go where a test wants them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use catalog::{
    Action, AddFile, BlockChecksums, CatalogRead, CatalogWrite, Command, FileKind, MemoryCatalog,
    NewFile, SortKeyChange,
};
use futures::TryStreamExt;
use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use query::{Answer, Config, Deps, Error, QueryEngine, Request};
use types::batch::{FieldValue, TagSetBuilder, merge};
use types::effect::{InPlace, ManualClock, SeededRandomness};
use types::schema::arrow_field;
use types::{
    Batch, BatchBuilder, CatalogVersion, Chunk, ColumnDef, ColumnKind, ColumnName, DatabaseId,
    DatabaseName, DatabaseRef, Epoch, FieldType, FileId, LogId, Lsn, LsnRange, MemoryBudget,
    PartitionKey, RequestId, SchemaChange, SchemaVersion, SharedReservation, SortKey, TableId,
    TableName, TableRef, Term,
};

use crate::buffer::FakeBuffer;
use crate::model::{Columns, Model, Row, Value, rows_of};

pub(crate) const MIB: u64 = 1024 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Parquet with tags as dictionaries.
    Dictionaries,
    /// Parquet with tags as text and no Arrow schema in its metadata.
    Text,
    /// A quarantine file in Arrow's file format.
    QuarantineFile,
    /// A quarantine file in Arrow's stream format.
    QuarantineStream,
}

/// One chunk of a partition, from its publication on.
#[derive(Clone)]
struct Written {
    chunk: Chunk,
    persisted: bool,
}

/// Everything that a query needs, and the model of what it has to answer.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) catalog: Arc<MemoryCatalog>,
    pub(crate) buffer: FakeBuffer,
    pub(crate) engine: QueryEngine,
    pub(crate) model: Arc<Mutex<Model>>,
    store: Arc<InMemory>,
    log: LogId,
    table: TableRef,
    state: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    lsn: Lsn,
    requests: u64,
    partitions: BTreeMap<PartitionKey, Vec<Written>>,
}

pub(crate) fn config() -> Config {
    Config {
        query_timeout: Duration::from_secs(300),
        queries_max: NonZeroUsize::new(32).expect("is not zero"),
        memory_limit_bytes: 256 * MIB,
        position_timeout: Duration::from_secs(5),
        slow_query: Duration::from_secs(10),
        target_partitions: NonZeroUsize::new(2).expect("is not zero"),
    }
}

pub(crate) fn database() -> DatabaseName {
    DatabaseName::new("weather").expect("a good name")
}

fn column(name: &str) -> ColumnName {
    ColumnName::new(name).expect("a good name")
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let catalog = Arc::new(MemoryCatalog::default());
        Self::with_catalog(config, Arc::clone(&catalog), catalog)
    }

    /// A world whose engine reads the catalog through `read`.
    pub(crate) fn with_catalog(
        config: Config,
        catalog: Arc<MemoryCatalog>,
        read: Arc<dyn CatalogRead>,
    ) -> Self {
        let log = LogId::from_random(7, 7);
        let buffer = FakeBuffer::new((log, Epoch::new(1)));
        let store = Arc::new(InMemory::new());
        let deps = Deps {
            catalog: read,
            buffer: Arc::new(buffer.clone()),
            store: Arc::clone(&store) as _,
            clock: Arc::new(ManualClock::at(1_357_020_000_000_000_000)),
            randomness: Arc::new(SeededRandomness::new(1)),
            pool: Arc::new(InPlace),
            memory: MemoryBudget::new(1024 * MIB),
        };
        let engine = QueryEngine::new(config, deps).expect("DataFusion starts");
        let name = TableName::new("cpu").expect("a good name");
        let table = TableRef { id: TableId::new(5), name };
        let world = Self {
            catalog,
            buffer,
            engine,
            model: Arc::default(),
            store,
            log,
            table,
            state: Arc::default(),
        };
        world.apply(Action::OpenLog { log, epoch: Epoch::new(1) });
        world
    }

    fn apply(&self, action: Action) -> CatalogVersion {
        let number = {
            let mut state = self.state.lock();
            state.requests += 1;
            state.requests
        };
        let command = Command { request: RequestId::from_random(1, number), action };
        block_on(self.catalog.apply(command)).expect("the command is good").version
    }

    /// Commits the columns of `rows` that are new, as a write does before it is appended.
    fn commit_columns(&self, rows: &[Row]) {
        let snapshot = self.catalog.snapshot();
        let database = snapshot.database(&database());
        let table = database.and_then(|held| held.tables.get(&self.table.name));
        let mut add: BTreeMap<&str, ColumnKind> = BTreeMap::new();
        for row in rows {
            add.extend(row.tags.keys().map(|tag| (tag.as_str(), ColumnKind::Tag)));
            add.extend(row.fields.iter().map(|(name, value)| match value {
                Value::Int(_) => (name.as_str(), ColumnKind::Field(FieldType::I64)),
                Value::Text(_) => (name.as_str(), ColumnKind::Field(FieldType::Utf8)),
            }));
        }
        let known = |name: &&str| table.is_some_and(|table| table.schema.kind(name).is_some());
        add.retain(|name, _| !known(name));
        if add.is_empty() && table.is_some() {
            return;
        }
        let add = add.into_iter().map(|(name, kind)| ColumnDef { name: column(name), kind });
        self.apply(Action::ChangeSchema(SchemaChange {
            database: DatabaseRef { id: DatabaseId::new(3), name: self::database() },
            create_database: database.is_none(),
            tables: vec![types::schema::TableChange {
                table: self.table.clone(),
                based_on: table.map_or(SchemaVersion::ZERO, |table| table.schema.version),
                add: add.collect(),
            }],
        }));
    }

    /// Writes rows: one batch a partition, each a chunk of its own.
    pub(crate) fn write(&self, rows: &[Row]) {
        self.write_to_chunk(rows, false);
    }

    /// Writes rows; with `join`, into the partition's newest chunk if no job has it.
    pub(crate) fn write_to_chunk(&self, rows: &[Row], join: bool) {
        self.commit_columns(rows);
        let mut partitions: BTreeMap<PartitionKey, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            self.model.lock().write(row);
            partitions.entry(PartitionKey::of_time(row.time)).or_default().push(row);
        }
        for (key, rows) in partitions {
            self.publish(&key, batch_of(&rows), join);
        }
    }

    /// Publishes a batch under the next LSN.
    pub(crate) fn publish(&self, key: &PartitionKey, batch: Batch, join: bool) {
        let mut state = self.state.lock();
        state.lsn = state.lsn.next();
        let lsn = state.lsn;
        let written = state.partitions.entry(key.clone()).or_default();
        let open = written.pop_if(|newest| join && !newest.persisted);
        let chunk = match open {
            None => Chunk {
                lsns: LsnRange::of(lsn),
                batch: Arc::new(batch),
                memory: SharedReservation::default(),
            },
            Some(Written { chunk, .. }) => Chunk {
                lsns: chunk.lsns.hull(LsnRange::of(lsn)),
                batch: Arc::new(joined(&[chunk.batch, Arc::new(batch)])),
                memory: SharedReservation::default(),
            },
        };
        written.push(Written { chunk: chunk.clone(), persisted: false });
        drop(state);
        self.buffer.publish(self.table.id, key, chunk);
    }

    /// The partitions that were written to.
    pub(crate) fn partitions(&self) -> Vec<PartitionKey> {
        self.state.lock().partitions.keys().cloned().collect()
    }

    /// Persists up to `count` chunks of a partition that follow each other, from number `from` on
    /// of those that no file has. False if there are none.
    pub(crate) fn persist(
        &self,
        key: &PartitionKey,
        from: usize,
        count: usize,
        form: Form,
    ) -> bool {
        let chunks = self.seal(key, from, count);
        let Some(lsns) = chunks.iter().map(|chunk| chunk.lsns).reduce(LsnRange::hull) else {
            return false;
        };
        let batches: Vec<Arc<Batch>> = chunks.into_iter().map(|chunk| chunk.batch).collect();
        let expected = self.sort_key(key);
        let tags = joined(&batches).tags();
        // Not the order of names, so that whoever confuses the two is found out.
        let new = expected.clone().unwrap_or_default().extended(tags.into_iter().rev());
        let (batch, kind, bytes) = encode(&batches, &new, form);
        let path = format!("data/weather/cpu/{key}/{}.file", lsns.first());
        let (size, checksums) = (bytes.len() as u64, BlockChecksums::of(&bytes));
        let key_in_store = Path::from(path.clone());
        let put = self.store.put(&key_in_store, PutPayload::from(bytes));
        block_on(put).expect("memory takes it");
        let times = batch.time_range().expect("there are rows");
        let id = FileId::from_random(lsns.first().get(), 1);
        let file = NewFile {
            id,
            path,
            kind,
            term: Term::ZERO,
            lsns,
            rows: batch.rows() as u64,
            bytes: size,
            time_min: *times.start(),
            time_max: *times.end(),
            checksums,
        };
        let version = self.apply(Action::AddFile(AddFile {
            log: self.log,
            epoch: Epoch::new(1),
            log_lsn: lsns.last(),
            table: self.table.id,
            partition: key.clone(),
            sort_key: SortKeyChange { expected, new },
            file,
        }));
        self.buffer.replace(&(self.table.id, key.clone()), lsns, version);
        true
    }

    /// Where files are.
    pub(crate) fn store(&self) -> &InMemory {
        &self.store
    }

    /// The keys of all files.
    pub(crate) fn file_paths(&self) -> Vec<Path> {
        let snapshot = self.catalog.snapshot();
        let (_, table) = snapshot.table_by_id(self.table.id).expect("it is there");
        let files = table.partitions.values().flat_map(|partition| &partition.files);
        files.map(|file| Path::from(file.path.as_str())).collect()
    }

    /// Persists all that no file has, each run of chunks as one file.
    pub(crate) fn persist_all(&self) {
        for key in self.partitions() {
            while self.persist(&key, 0, usize::MAX, Form::Dictionaries) {}
        }
    }

    fn seal(&self, key: &PartitionKey, from: usize, count: usize) -> Vec<Chunk> {
        let mut state = self.state.lock();
        let Some(written) = state.partitions.get_mut(key) else {
            return Vec::new();
        };
        let open: Vec<usize> = (0..written.len()).filter(|at| !written[*at].persisted).collect();
        if open.is_empty() {
            return Vec::new();
        }
        let first = open[from % open.len()];
        let run = written[first..].iter_mut().take_while(|written| !written.persisted);
        let sealed = run.take(count.max(1)).map(|written| {
            written.persisted = true;
            written.chunk.clone()
        });
        sealed.collect()
    }

    fn sort_key(&self, key: &PartitionKey) -> Option<SortKey> {
        let snapshot = self.catalog.snapshot();
        let table = snapshot.database(&database())?.tables.get(&self.table.name)?;
        Some(table.partitions.get(key)?.sort_key.clone())
    }

    /// Starts a query.
    pub(crate) async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        let request = Request {
            database: database(),
            sql: sql.to_owned(),
            params: BTreeMap::new(),
            position: None,
        };
        self.engine.query(request).await
    }

    /// The whole answer to a query.
    pub(crate) async fn batches(&self, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        collect(self.ask(sql).await?).await
    }

    /// The rows of the answer to a query that has one, sorted.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Columns> {
        let batches = self.batches(sql).await;
        rows_of(&batches.unwrap_or_else(|error| panic!("{sql}: {error:?}")))
    }

    /// The answer as people see it.
    pub(crate) async fn pretty(&self, sql: &str) -> String {
        let batches = self.batches(sql).await;
        let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        arrow::util::pretty::pretty_format_batches(&batches).expect("it has columns").to_string()
    }
}

pub(crate) async fn collect(answer: Answer) -> Result<Vec<RecordBatch>, Error> {
    answer.stream.try_collect().await.map_err(Error::from)
}

/// Rows as a batch, in the order in which they come.
pub(crate) fn batch_of(rows: &[&Row]) -> Batch {
    let mut builder = BatchBuilder::new();
    let mut tag_set = TagSetBuilder::default();
    for row in rows {
        let tags = row.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = row.fields.iter().map(|(name, value)| match value {
            Value::Int(value) => (column(name), FieldValue::I64(*value)),
            Value::Text(value) => (column(name), FieldValue::Utf8(value)),
        });
        let fields: Vec<_> = fields.collect();
        let fields = fields.iter().map(|(name, value)| (name, *value));
        let tags = tag_set.build(&mut tags.collect::<Vec<_>>());
        builder.push_row(tags, row.time, fields).expect("one type a column");
    }
    builder.finish()
}

fn joined(batches: &[Arc<Batch>]) -> Batch {
    let mut all = BatchBuilder::new();
    for batch in batches {
        all.append(batch).expect("one type a column");
    }
    all.finish()
}

/// The bytes of a file with few rows a row group, and its rows.
fn encode(batches: &[Arc<Batch>], key: &SortKey, form: Form) -> (Batch, FileKind, Vec<u8>) {
    match form {
        Form::Dictionaries | Form::Text => {
            let sorted = merge(batches, key).expect("one table");
            let bytes = parquet_of(&columns_of(&sorted), form == Form::Text);
            (sorted, FileKind::Parquet, bytes)
        }
        Form::QuarantineFile => {
            let all = joined(batches);
            let rows = columns_of(&all);
            let mut writer = FileWriter::try_new(Vec::new(), &rows.schema()).expect("a schema");
            writer.write(&rows).expect("memory takes it");
            let bytes = writer.into_inner().expect("memory takes it");
            (all, FileKind::Quarantine, bytes)
        }
        Form::QuarantineStream => {
            let all = joined(batches);
            let rows = columns_of(&all);
            let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema()).expect("a schema");
            writer.write(&rows).expect("memory takes it");
            let bytes = writer.into_inner().expect("memory takes it");
            (all, FileKind::Quarantine, bytes)
        }
    }
}

/// The columns that the batch has, and no others.
fn columns_of(batch: &Batch) -> RecordBatch {
    let tags = batch.tags().into_iter().map(|tag| arrow_field(&tag, ColumnKind::Tag));
    let fields = batch.fields().iter();
    let fields =
        fields.map(|field| arrow_field(&field.name, ColumnKind::Field(field.field_type())));
    let time = arrow_field(&ColumnName::time(), ColumnKind::Time);
    let columns: Vec<Field> = tags.chain([time]).chain(fields).collect();
    batch.to_arrow(&Arc::new(Schema::new(columns))).expect("its own columns")
}

fn parquet_of(rows: &RecordBatch, tags_as_text: bool) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
    let options = parquet::arrow::arrow_writer::ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(tags_as_text);
    let rows = if tags_as_text { plain(rows) } else { rows.clone() };
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).expect("a schema");
    writer.write(&rows).expect("memory takes it");
    writer.close().expect("memory takes it");
    bytes
}

fn plain(rows: &RecordBatch) -> RecordBatch {
    let plain = |column: &ArrayRef| match column.data_type() {
        DataType::Dictionary(..) => cast(column, &DataType::Utf8).expect("text"),
        _ => Arc::clone(column),
    };
    let columns: Vec<ArrayRef> = rows.columns().iter().map(plain).collect();
    let named = rows.schema();
    let fields = named.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| {
        Field::new(field.name(), column.data_type().clone(), field.is_nullable())
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).expect("the same columns")
}
