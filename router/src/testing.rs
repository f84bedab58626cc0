//! What the tests of this crate share: a sink that keeps what it is given after checking it, a gate
//! over a real budget, and writes as readable text.

use std::collections::BTreeMap;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};
use async_trait::async_trait;
use catalog::{Action, CatalogRead, CatalogWrite, Command, MemoryCatalog};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use types::batch::FieldColumn;
use types::effect::{InPlace, ManualClock, SeededRandomness};
use types::schema::{ColumnKind, SchemaChange, TableChange};
use types::seam::{DmlError, DmlSink, MemoryGate, PersistNow, PersistNowError};
use types::{
    Batch, ColumnDef, ColumnName, DatabaseId, DatabaseName, DatabaseRef, Epoch, FieldType, LogId,
    Lsn, MemoryBudget, MemoryOwner, PartitionBatch, PartitionKey, Position, RequestId, Reservation,
    SchemaVersion, TableId, TableName, TableRef, Write,
};

use crate::config::{Config, Limits};
use crate::edge::{Deps, Edge};

/// The time of lines that have none: 1970-01-01T00:00:01.
pub(crate) const NOW_NS: i64 = 1_000_000_000;

/// An edge with everything that it works with in reach of a test.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) edge: Arc<Edge>,
    pub(crate) catalog: Arc<MemoryCatalog>,
    pub(crate) sink: Arc<CheckingSink>,
    pub(crate) gate: Arc<BudgetGate>,
    pub(crate) persist: Arc<RecordingPersist>,
    pub(crate) registry: Registry,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), 1 << 20, 64 << 20)
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with(limits, 1 << 20, 64 << 20)
    }

    pub(crate) fn with(limits: Limits, body_bytes_max: u64, budget: u64) -> Self {
        let catalog = Arc::new(MemoryCatalog::default());
        let sink = Arc::new(CheckingSink::new(Arc::clone(&catalog)));
        let gate = Arc::new(BudgetGate { budget: MemoryBudget::new(budget) });
        let persist = Arc::new(RecordingPersist::default());
        let config = Config { limits, body_bytes_max };
        assert_eq!(config.validate(), Vec::<String>::new());
        let deps = Deps {
            catalog: Arc::clone(&catalog) as Arc<dyn CatalogWrite>,
            sink: Arc::clone(&sink) as Arc<dyn DmlSink>,
            gate: Arc::clone(&gate) as Arc<dyn MemoryGate>,
            persist: Arc::clone(&persist) as Arc<dyn PersistNow>,
            clock: Arc::new(ManualClock::at(NOW_NS)),
            randomness: Arc::new(SeededRandomness::new(1)),
            pool: Arc::new(InPlace),
        };
        let mut registry = Registry::default();
        Self {
            edge: Edge::new(config, deps, &mut registry),
            catalog,
            sink,
            gate,
            persist,
            registry,
        }
    }

    /// Adds a table with these columns to database `db`, as another request would.
    pub(crate) async fn add_table(&self, name: &str, columns: &[(&str, ColumnKind)]) {
        add_table(&self.catalog, name, columns).await;
    }

    /// The tables of `db` and their columns, as text.
    pub(crate) fn tables(&self) -> Vec<String> {
        let snapshot = self.catalog.snapshot();
        let Some(database) = snapshot.database(&database("db")) else {
            return Vec::new();
        };
        let tables = database.tables.iter();
        tables
            .map(|(name, table)| {
                let columns = table.schema.columns().filter(|(name, _)| !name.is_time());
                let columns: Vec<_> =
                    columns.map(|(name, kind)| format!("{name} {kind}")).collect();
                format!("{name}({})", columns.join(", "))
            })
            .collect()
    }

    /// Nothing was kept: no row, no table, no byte of memory.
    pub(crate) fn assert_nothing_kept(&self) {
        assert_eq!(self.sink.rows(), Vec::<String>::new());
        assert_eq!(self.tables(), Vec::<String>::new());
        self.assert_no_memory_held();
    }

    pub(crate) fn assert_no_memory_held(&self) {
        assert_eq!(self.gate.budget.used(), 0, "memory is given back");
    }
}

pub(crate) fn database(name: &str) -> DatabaseName {
    DatabaseName::new(name).expect("a good name")
}

pub(crate) fn column(name: &str, kind: ColumnKind) -> ColumnDef {
    ColumnDef { name: ColumnName::new(name).expect("a good name"), kind }
}

async fn add_table(catalog: &MemoryCatalog, name: &str, columns: &[(&str, ColumnKind)]) {
    let name = TableName::new(name).expect("a good name");
    let snapshot = catalog.snapshot();
    let db = snapshot.database(&database("db"));
    let table = db.and_then(|db| db.tables.get(&name));
    let change = SchemaChange {
        database: DatabaseRef {
            id: db.map_or(DatabaseId::new(77), |db| db.id),
            name: database("db"),
        },
        create_database: db.is_none(),
        tables: vec![TableChange {
            based_on: table.map_or(SchemaVersion::ZERO, |table| table.schema.version),
            table: table.map_or_else(
                || TableRef {
                    id: TableId::new(snapshot.version().get() + 1_000),
                    name: name.clone(),
                },
                |table| table.schema.table.clone(),
            ),
            add: columns.iter().map(|(name, kind)| column(name, *kind)).collect(),
        }],
    };
    commit(catalog, change).await.expect("the catalog takes it");
}

async fn commit(catalog: &MemoryCatalog, change: SchemaChange) -> Result<(), catalog::Error> {
    let id = catalog.snapshot().version().get();
    let command = Command {
        request: RequestId::from_random(change.database.id.get(), id),
        action: Action::ChangeSchema(change),
    };
    catalog.apply(command).await.map(|_| ())
}

/// What another request does between the check and the commit of the one under test.
type Interference = Vec<(&'static str, &'static str, ColumnKind)>;

/// A sink that commits schema changes as the real one does, refuses what breaks a rule of writes by
/// a panic, and keeps the rest as text.
#[derive(Debug)]
pub(crate) struct CheckingSink {
    catalog: Arc<MemoryCatalog>,
    rows: Mutex<Vec<String>>,
    failures: Mutex<Vec<DmlError>>,
    interference: Mutex<Vec<Interference>>,
    stalls: Mutex<bool>,
    lsn: Mutex<Lsn>,
}

impl CheckingSink {
    fn new(catalog: Arc<MemoryCatalog>) -> Self {
        Self {
            catalog,
            rows: Mutex::default(),
            failures: Mutex::default(),
            interference: Mutex::default(),
            stalls: Mutex::default(),
            lsn: Mutex::default(),
        }
    }

    /// The next write ends like this.
    pub(crate) fn fail_next(&self, error: DmlError) {
        self.failures.lock().push(error);
    }

    /// From now on no write comes to an end.
    pub(crate) fn stall(&self) {
        *self.stalls.lock() = true;
    }

    /// Before the next write is applied, another request adds columns to tables of `db`.
    pub(crate) fn interfere_next(&self, columns: Interference) {
        self.interference.lock().push(columns);
    }

    /// All rows that were kept.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.rows.lock().clone()
    }

    fn check(&self, write: &Write) {
        assert!(!write.batches.is_empty(), "a write has at least one batch");
        let bytes: u64 = write.batches.iter().map(|b| b.batch.size_bytes()).sum();
        assert!(write.memory.bytes() >= bytes, "the memory of the batches travels with them");
        let order = |batch: &PartitionBatch| (batch.table.name.clone(), batch.key.clone());
        assert!(
            write.batches.is_sorted_by(|a, b| order(a) < order(b)),
            "tables in name order, partitions in key order, each once"
        );
        let snapshot = self.catalog.snapshot();
        let database = snapshot.database(&write.database.name);
        let database = database.expect("the schema change made the database");
        assert_eq!(database.id, write.database.id, "one name, one id");
        for PartitionBatch { table, key, batch, .. } in &write.batches {
            assert!(batch.rows() > 0, "a batch has at least one row");
            let schema = &database.tables[&table.name].schema;
            assert_eq!(schema.table, **table, "one name, one id");
            let mut times = batch.time().iter();
            assert!(times.all(|time| PartitionKey::of_time(*time) == *key));
            for tag in batch.tags() {
                assert_eq!(schema.kind(tag.as_str()), Some(ColumnKind::Tag), "{tag}");
            }
            for field in batch.fields() {
                let kind = ColumnKind::Field(field.field_type());
                assert_eq!(schema.kind(field.name.as_str()), Some(kind), "{}", field.name);
            }
        }
    }
}

#[async_trait]
impl DmlSink for CheckingSink {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        let stalls = *self.stalls.lock();
        if stalls {
            future::pending::<()>().await;
        }
        let interference = self.interference.lock().pop();
        for (table, name, kind) in interference.into_iter().flatten() {
            add_table(&self.catalog, table, &[(name, kind)]).await;
        }
        if let Some(error) = self.failures.lock().pop() {
            return Err(error);
        }
        if let Some(change) = write.schema_change.clone() {
            match commit(&self.catalog, change).await {
                Ok(()) => {}
                Err(catalog::Error::SchemaConflict { .. }) => return Err(DmlError::SchemaChanged),
                Err(error) => panic!("the catalog refuses what was planned: {error}"),
            }
        }
        self.check(&write);
        self.rows.lock().extend(rows_as_text(&write.batches));
        let mut lsn = self.lsn.lock();
        *lsn = Lsn::new(lsn.get() + write.batches.len() as u64);
        Ok(Position { log: LogId::from_random(1, 2), epoch: Epoch::new(1), lsn: *lsn })
    }
}

/// Rows as `table day | tags | time | fields`, batch by batch.
pub(crate) fn rows_as_text(batches: &[PartitionBatch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|PartitionBatch { table, key, batch, .. }| {
        (0..batch.rows())
            .map(move |row| format!("{} {key} | {}", table.name, row_as_text(batch, row)))
    });
    rows.collect()
}

fn row_as_text(batch: &Batch, row: usize) -> String {
    let tags = batch.series().get(batch.series_of_row()[row]);
    let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let fields = batch.fields().iter();
    let fields: Vec<_> = fields
        .filter(|field| field.values.is_valid(row))
        .map(|field| format!("{}={}", field.name, value_as_text(field, row)))
        .collect();
    format!("{} | {} | {}", tags.join(","), batch.time()[row], fields.join(","))
}

fn value_as_text(field: &FieldColumn, row: usize) -> String {
    let values = &field.values;
    match field.field_type() {
        FieldType::I64 => format!("{}i", values.as_primitive::<Int64Type>().value(row)),
        FieldType::U64 => format!("{}u", values.as_primitive::<UInt64Type>().value(row)),
        FieldType::F64 => format!("{:?}", values.as_primitive::<Float64Type>().value(row)),
        FieldType::Bool => values.as_boolean().value(row).to_string(),
        FieldType::Utf8 => format!("{:?}", values.as_string::<i32>().value(row)),
    }
}

/// Hands out memory of a budget; who does not fit is refused at once.
#[derive(Debug)]
pub(crate) struct BudgetGate {
    pub(crate) budget: Arc<MemoryBudget>,
}

#[async_trait]
impl MemoryGate for BudgetGate {
    async fn reserve(&self, bytes: u64) -> Result<Reservation, DmlError> {
        let reserved = self.budget.try_reserve(MemoryOwner::Request, bytes);
        reserved.ok_or_else(|| DmlError::Busy {
            reason: "no memory is free".to_owned(),
            retry_after: Duration::from_millis(1_500),
        })
    }

    fn capacity(&self) -> u64 {
        self.budget.limit()
    }

    fn retry_after(&self, _missing: u64) -> Duration {
        Duration::from_secs(7)
    }
}

/// Demands to persist, by what they ended with.
#[derive(Debug, Default)]
pub(crate) struct RecordingPersist {
    pub(crate) demands: Mutex<Vec<(String, Option<String>, Duration)>>,
    pub(crate) failures: Mutex<BTreeMap<String, PersistNowError>>,
}

#[async_trait]
impl PersistNow for RecordingPersist {
    async fn persist_now(
        &self,
        database: &DatabaseName,
        table: Option<&TableName>,
        timeout: Duration,
    ) -> Result<(), PersistNowError> {
        let table = table.map(ToString::to_string);
        self.demands.lock().push((database.to_string(), table, timeout));
        match self.failures.lock().remove(database.as_str()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
