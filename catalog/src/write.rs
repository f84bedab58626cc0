//! The catalog for those who change it.

use std::sync::Arc;

use async_trait::async_trait;
use types::CatalogVersion;

use crate::command::Command;
use crate::error::Error;
use crate::read::CatalogRead;
use crate::snapshot::Snapshot;

/// Changes the catalog, one conditional command at a time.
#[async_trait]
pub trait CatalogWrite: CatalogRead {
    /// Applies `command` to the newest version; returns once the new version is durable and
    /// [`snapshot`](CatalogRead::snapshot) shows it.
    ///
    /// A command whose request id was applied before is answered with the version that it had then.
    ///
    /// # Errors
    ///
    /// A refusal, after which nothing of the command was kept; or [`Error::Unknown`], after which
    /// it may be sent again under the same request id.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the command happens or is refused whether or not anybody waits for the answer.
    async fn apply(&self, command: Command) -> Result<Committed, Error>;
}

/// A command that is durable.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The version that the command made.
    pub version: CatalogVersion,
    /// A snapshot that has it, of this version or a newer one.
    pub snapshot: Arc<Snapshot>,
    /// True if it had been applied before, by this or an equal command.
    pub repeated: bool,
}
