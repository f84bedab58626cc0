//! Sends actions under request ids of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use types::{CatalogVersion, RequestId};

use crate::command::{Action, AddFile, Command};
use crate::config::Limits;
use crate::conformance::{Factory, create, database, open_log, table};
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::table::{Partition, Table};
use crate::write::{CatalogWrite, Committed};

/// A catalog, and the numbers of the commands sent to it.
#[derive(Debug)]
pub struct Sender {
    catalog: Arc<dyn CatalogWrite>,
    sent: AtomicU64,
}

impl Sender {
    /// Sends to `catalog`.
    pub fn new(catalog: Arc<dyn CatalogWrite>) -> Self {
        Self { catalog, sent: AtomicU64::new(0) }
    }

    /// Sends to a new catalog with the default limits.
    pub fn to_empty(make: Factory<'_>) -> Self {
        Self::new(make(Limits::default()))
    }

    /// Sends to a new catalog with database 1, table 1 in it, and log 1 open under epoch 1.
    pub async fn to_one_table(make: Factory<'_>) -> Self {
        let sender = Self::to_empty(make);
        sender.send(create(database(1), &[table(1)])).await.expect("a new table");
        sender.send(open_log(1)).await.expect("a new log");
        sender
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<dyn CatalogWrite> {
        &self.catalog
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.catalog.snapshot()
    }

    /// The newest version.
    pub fn version(&self) -> CatalogVersion {
        self.snapshot().version()
    }

    /// A command with `action` under the next request id.
    pub fn command(&self, action: Action) -> Command {
        // Relaxed: each call needs a number of its own, in no order with other memory.
        let n = self.sent.fetch_add(1, Ordering::Relaxed);
        Command { request: RequestId::from_random(0x0e90, n), action }
    }

    /// Sends `action` once.
    ///
    /// # Errors
    ///
    /// What the catalog says.
    pub async fn send(&self, action: Action) -> Result<Committed, Error> {
        self.catalog.apply(self.command(action)).await
    }

    /// Sends `add`.
    ///
    /// # Errors
    ///
    /// What the catalog says.
    pub async fn add(&self, add: AddFile) -> Result<Committed, Error> {
        self.send(Action::AddFile(add)).await
    }

    /// Sends `action`, which is refused and must leave the catalog as it was.
    pub async fn refused(&self, action: Action) -> Error {
        let before = self.snapshot();
        let error = self.send(action).await.expect_err("it has to be refused");
        assert_eq!(*self.snapshot(), *before, "a refused command changed something: {error}");
        error
    }

    /// The table `n`.
    pub fn table(&self, n: u64) -> Arc<Table> {
        let snapshot = self.snapshot();
        let (_, table) = snapshot.table_by_id(table(n).id).expect("the table is there");
        Arc::clone(table)
    }

    /// The partition of day `day` of table 1.
    pub fn partition(&self, day: i64) -> Arc<Partition> {
        let table = self.table(1);
        let partition = table.partitions.get(&crate::conformance::partition(day));
        Arc::clone(partition.expect("the partition has files"))
    }
}
