//! What one query sees: a database at one catalog version, and the buffer beside it.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Database, Snapshot};
use object_store::ObjectStore;
use types::effect::Pool;
use types::seam::{QueryError, QueryReader};
use types::{CatalogVersion, DatabaseName, LogId, Position};

use crate::config::Deps;
use crate::error::Error;

/// How often a query takes a newer version because the buffer let go of its own. Between taking a
/// version and registering it lie microseconds, so that even the second try hardly ever fails.
const REGISTER_ATTEMPTS: usize = 5;

/// A version that the buffer keeps in step with as long as this is held.
#[derive(Debug)]
pub(crate) struct View {
    /// The version.
    pub(crate) version: CatalogVersion,
    /// The database at that version.
    pub(crate) database: Arc<Database>,
    /// The buffer at that version.
    pub(crate) reader: Arc<dyn QueryReader>,
    /// The log whose batches the buffer holds.
    pub(crate) log: LogId,
    /// Where the files are.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where rows are sorted and decoded.
    pub(crate) pool: Arc<dyn Pool>,
}

impl View {
    /// Takes the newest version, after `position` is visible if one is given.
    ///
    /// # Errors
    ///
    /// [`Error::Buffer`] if the position is not visible in time or the buffer is not ready,
    /// [`Error::DatabaseNotFound`].
    pub(crate) async fn take(
        deps: &Deps,
        database: &DatabaseName,
        position: Option<(Position, Duration)>,
    ) -> Result<Self, Error> {
        if let Some((position, timeout)) = position {
            deps.buffer.wait_for(position, timeout).await?;
        }
        let (snapshot, reader) = register(deps).await?;
        let found = snapshot.database(database);
        let database =
            found.ok_or_else(|| Error::DatabaseNotFound { database: database.clone() })?;
        Ok(Self {
            version: snapshot.version(),
            database: Arc::clone(database),
            reader,
            log: deps.buffer.log().0,
            store: Arc::clone(&deps.store),
            pool: Arc::clone(&deps.pool),
        })
    }
}

/// Registers a version that the buffer can still serve.
async fn register(deps: &Deps) -> Result<(Arc<Snapshot>, Arc<dyn QueryReader>), Error> {
    let mut snapshot = deps.catalog.snapshot();
    let mut attempts = 1;
    loop {
        match deps.buffer.register(snapshot.version()) {
            Ok(reader) => return Ok((snapshot, reader)),
            Err(QueryError::SnapshotTooOld { .. }) if attempts < REGISTER_ATTEMPTS => {
                attempts += 1;
                snapshot = deps.catalog.refresh().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
