//! Commits the columns that a write adds, before it is appended.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Action, CatalogWrite, Command};
use types::effect::Randomness;
use types::seam::DmlError;
use types::{ErrorKind, SchemaChange};

use crate::dml_sink::wal_sink::SchemaCommit;
use crate::state::RETRY_AFTER;

/// Commits to the catalog.
#[derive(Debug)]
pub(crate) struct CatalogSchemaCommit {
    pub(crate) catalog: Arc<dyn CatalogWrite>,
    pub(crate) randomness: Arc<dyn Randomness>,
}

#[async_trait]
impl SchemaCommit for CatalogSchemaCommit {
    async fn commit(&self, change: SchemaChange) -> Result<(), DmlError> {
        let command = Command::new(Action::ChangeSchema(change), &*self.randomness);
        let outcome = self.catalog.apply(command).await;
        outcome.map(|_| ()).map_err(|error| refusal(&error))
    }
}

/// What a client is told. Nothing was appended yet, so even a commit of unknown outcome keeps
/// nothing of the write but perhaps an empty column.
fn refusal(error: &catalog::Error) -> DmlError {
    let reason = error.to_string();
    match error {
        catalog::Error::SchemaConflict { .. } => DmlError::SchemaChanged,
        _ => match error.kind() {
            ErrorKind::Rejected => DmlError::Rejected { reason },
            ErrorKind::Fenced => DmlError::Fenced { reason },
            ErrorKind::Corrupt | ErrorKind::Fatal => DmlError::Internal { reason },
            _ => DmlError::Busy { reason, retry_after: RETRY_AFTER },
        },
    }
}
