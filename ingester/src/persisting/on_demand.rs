//! Persisting on demand: everything acknowledged before the call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::CatalogRead;
use persist::Demand;
use types::seam::{PersistNow, PersistNowError};
use types::{DatabaseName, Lsn, TableId, TableName};

use super::completion::SettledJobs;
use super::driver::PersistDriver;
use crate::buffer_tree::Partition;
use crate::published::PublishedLsn;
use crate::state::{IngestState, Phase};

/// Partitions named in a message; more are counted.
const PARTITIONS_NAMED: usize = 5;

/// Persists what callers ask for, and all at a shutdown.
#[derive(Debug)]
pub(crate) struct PersistOnDemand {
    pub(crate) driver: PersistDriver,
    pub(crate) catalog: Arc<dyn CatalogRead>,
    pub(crate) published: PublishedLsn,
    pub(crate) settled: SettledJobs,
    pub(crate) state: Arc<IngestState>,
}

impl PersistOnDemand {
    /// Persists all that is published now, in whatever table, and returns when it is committed.
    pub(crate) async fn persist_all(&self, demand: Demand) {
        let everything = || self.driver.tree().partitions();
        self.persist_until(self.published.get(), everything, demand).await;
    }

    /// Seals what `partitions` lists and waits until nothing up to `lsn` is left in any of it.
    async fn persist_until(
        &self,
        lsn: Lsn,
        partitions: impl Fn() -> Vec<Arc<Partition>>,
        demand: Demand,
    ) {
        let mut settled = self.settled.subscribe();
        self.driver.persist_aside(partitions(), demand);
        while !left(&partitions(), lsn).is_empty() {
            // The sender lives in `self`, so this cannot fail.
            let _ = settled.changed().await;
        }
    }

    /// The tables that a name means, or one of them.
    fn tables(
        &self,
        database: &DatabaseName,
        table: Option<&TableName>,
    ) -> Result<Vec<TableId>, PersistNowError> {
        let not_found = |what: String| PersistNowError::NotFound { what };
        let snapshot = self.catalog.snapshot();
        let found =
            snapshot.database(database).ok_or_else(|| not_found(format!("database {database}")))?;
        let all = found.tables.iter();
        let wanted: Vec<TableId> = all
            .filter(|(name, _)| table.is_none_or(|wanted| *name == wanted))
            .map(|(_, table)| table.schema.table.id)
            .collect();
        match table {
            Some(name) if wanted.is_empty() => {
                Err(not_found(format!("table {name} in database {database}")))
            }
            _ => Ok(wanted),
        }
    }

    fn partitions_of(&self, tables: &[TableId]) -> Vec<Arc<Partition>> {
        let tree = self.driver.tree();
        let buffered = tables.iter().filter_map(|table| tree.table(*table));
        buffered.flat_map(|table| table.partitions()).collect()
    }
}

/// The partitions that hold rows up to `lsn` which are in no file.
fn left(partitions: &[Arc<Partition>], lsn: Lsn) -> Vec<String> {
    let unpersisted = partitions
        .iter()
        .filter(|partition| partition.first_unpersisted().is_some_and(|first| first <= lsn));
    unpersisted.map(|partition| format!("{}/{}", partition.table().name, partition.key())).collect()
}

fn name_some(mut partitions: Vec<String>) -> String {
    let more = partitions.len().saturating_sub(PARTITIONS_NAMED);
    partitions.truncate(PARTITIONS_NAMED);
    let named = partitions.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

#[async_trait]
impl PersistNow for PersistOnDemand {
    async fn persist_now(
        &self,
        database: &DatabaseName,
        table: Option<&TableName>,
        timeout: Duration,
    ) -> Result<(), PersistNowError> {
        if let replaying @ Phase::Replaying(_) = self.state.phase() {
            return Err(PersistNowError::NotReady { reason: replaying.to_string() });
        }
        let tables = self.tables(database, table)?;
        let lsn = self.published.get();
        let persisted = self.persist_until(lsn, || self.partitions_of(&tables), Demand::Request);
        tokio::time::timeout(timeout, persisted).await.map_err(|_| PersistNowError::TimedOut {
            timeout,
            left: name_some(left(&self.partitions_of(&tables), lsn)),
        })
    }
}
