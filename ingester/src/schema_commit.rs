//! Commits the columns that a write adds, before it is appended.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Action, CatalogWrite, Command};
use types::effect::Randomness;
use types::seam::DmlError;
use types::{ErrorKind, SchemaChange};

use crate::dml_sink::admission::retry::RetryTimes;
use crate::dml_sink::wal_sink::SchemaCommit;

/// Commits to the catalog.
#[derive(Debug)]
pub(crate) struct CatalogSchemaCommit {
    pub(crate) catalog: Arc<dyn CatalogWrite>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) retry: RetryTimes,
}

#[async_trait]
impl SchemaCommit for CatalogSchemaCommit {
    async fn commit(&self, change: SchemaChange) -> Result<(), DmlError> {
        let command = Command::new(Action::ChangeSchema(change), &*self.randomness);
        let outcome = self.catalog.apply(command).await;
        outcome.map(|_| ()).map_err(|error| refusal(&error, &self.retry))
    }
}

/// What a client is told. Nothing was appended yet, so even a commit of unknown outcome keeps
/// nothing of the write but perhaps an empty column.
fn refusal(error: &catalog::Error, retry: &RetryTimes) -> DmlError {
    let reason = error.to_string();
    match error {
        catalog::Error::SchemaConflict { .. } => DmlError::SchemaChanged,
        _ => match error.kind() {
            ErrorKind::Rejected => DmlError::Rejected { reason },
            ErrorKind::Fenced => DmlError::Fenced { reason },
            ErrorKind::Corrupt | ErrorKind::Fatal => DmlError::Internal { reason },
            // Nothing is known of how long a catalog stays busy.
            _ => DmlError::Busy { reason, retry_after: retry.soon() },
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use types::effect::{ManualClock, SeededRandomness};

    use super::*;

    #[test]
    fn those_whom_a_busy_catalog_refuses_do_not_come_back_all_at_once() {
        let clock = Arc::new(ManualClock::default());
        let retry = RetryTimes::new(clock, Arc::new(SeededRandomness::new(1)));
        let busy = catalog::Error::Busy { reason: "the disk is full".to_owned() };
        let told = |_| match refusal(&busy, &retry) {
            DmlError::Busy { retry_after, .. } => retry_after.as_secs(),
            other => panic!("busy, not {other}"),
        };
        let told: BTreeSet<u64> = (0..100).map(told).collect();
        assert_eq!(told, (1..=5).collect());
    }
}
