//! The queries that run: at most so many, each named in `system.queries`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::DatabaseName;
use types::effect::{Clock, Randomness};
use uuid::Uuid;

use crate::config::{Config, Deps};
use crate::error::Error;

/// When a client that found no permit should come back: most queries take less.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// All queries that run now.
#[derive(Debug)]
pub(crate) struct RunningQueries {
    permits: Arc<Semaphore>,
    queries_max: usize,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    /// In the order in which they started.
    started: Mutex<Started>,
}

#[derive(Debug, Default)]
struct Started {
    next: u64,
    queries: BTreeMap<u64, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: Uuid,
    database: DatabaseName,
    sql: Arc<str>,
    issued_at_ns: i64,
    started_at: Duration,
}

/// What is told about a query that runs.
#[derive(Debug)]
pub(crate) struct QueryState {
    /// Drawn for it.
    pub(crate) id: Uuid,
    /// What was asked.
    pub(crate) sql: Arc<str>,
    /// Wall time at its start.
    pub(crate) issued_at_ns: i64,
    /// How long it has been running.
    pub(crate) running_for: Duration,
}

/// A query that may run until this is dropped.
#[derive(Debug)]
pub(crate) struct RunningQuery {
    all: Arc<RunningQueries>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl RunningQueries {
    pub(super) fn new(config: &Config, deps: &Deps) -> Self {
        let queries_max = config.queries_max.get().min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(queries_max)),
            queries_max,
            clock: Arc::clone(&deps.clock),
            randomness: Arc::clone(&deps.randomness),
            started: Mutex::default(),
        }
    }

    /// Lets a query run, or refuses it at once.
    pub(super) fn admit(
        self: &Arc<Self>,
        database: &DatabaseName,
        sql: &str,
    ) -> Result<RunningQuery, Error> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| Error::TooManyQueries {
            limit: self.queries_max,
            retry_after: RETRY_AFTER,
        })?;
        let random =
            u128::from(self.randomness.next_u64()) << 64 | u128::from(self.randomness.next_u64());
        let entry = Entry {
            id: uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid(),
            database: database.clone(),
            sql: Arc::from(sql),
            issued_at_ns: self.clock.now_ns(),
            started_at: self.clock.monotonic(),
        };
        let mut started = self.started.lock();
        let number = started.next;
        started.next += 1;
        started.queries.insert(number, entry);
        Ok(RunningQuery { all: Arc::clone(self), number, _permit: permit })
    }

    /// The queries of `database` that run now, the oldest first.
    pub(crate) fn of_database(&self, database: &DatabaseName) -> Vec<QueryState> {
        let now = self.clock.monotonic();
        let started = self.started.lock();
        let entries = started.queries.values();
        entries
            .filter(|entry| entry.database == *database)
            .map(|entry| QueryState {
                id: entry.id,
                sql: Arc::clone(&entry.sql),
                issued_at_ns: entry.issued_at_ns,
                running_for: now.saturating_sub(entry.started_at),
            })
            .collect()
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.all.started.lock().queries.remove(&self.number);
    }
}
