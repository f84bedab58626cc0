//! Commits the columns that a write adds, before it is appended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::{Action, CatalogWrite, Command, Limit};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::timeout;
use types::effect::Randomness;
use types::seam::{DmlError, Rejection};
use types::{ErrorKind, SchemaChange};

use crate::dml_sink::wal_sink::SchemaCommit;
use crate::retry_after::RetryAfter;

/// A commit takes milliseconds. So a catalog that has not answered for so long is shown as one that
/// does not; nobody gives up the call, for its outcome is what the write waits for.
const OVERDUE_AFTER: Duration = Duration::from_secs(1);

/// The commits that a catalog owes an answer for too long.
#[derive(Clone, Debug, Default)]
pub(crate) struct OverdueCommits(Gauge);

impl OverdueCommits {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Writes that wait for the catalog to take their columns, for over a second";
        registry.register("forebay_schema_commits_overdue", help, self.0.clone());
    }

    /// How many there are.
    pub(crate) fn count(&self) -> i64 {
        self.0.get()
    }

    fn one_more(&self) -> Overdue {
        self.0.inc();
        Overdue(self.0.clone())
    }
}

/// One of them, as long as it is.
struct Overdue(Gauge);

impl Drop for Overdue {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Commits to the catalog.
#[derive(Debug)]
pub(crate) struct CatalogSchemaCommit {
    pub(crate) catalog: Arc<dyn CatalogWrite>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) retry: RetryAfter,
    pub(crate) overdue: OverdueCommits,
}

#[async_trait]
impl SchemaCommit for CatalogSchemaCommit {
    async fn commit(&self, change: SchemaChange) -> Result<(), DmlError> {
        let command = Command::new(Action::ChangeSchema(change), &*self.randomness);
        let mut applying = self.catalog.apply(command);
        let in_time = timeout(OVERDUE_AFTER, &mut applying).await;
        let outcome = match in_time {
            Ok(outcome) => outcome,
            Err(_overdue) => {
                let _shown = self.overdue.one_more();
                applying.await
            }
        };
        outcome.map(|_| ()).map_err(|error| refusal(&error, &self.retry))
    }
}

/// What a client is told. Nothing was appended yet, so even a commit of unknown outcome keeps
/// nothing of the write but perhaps an empty column.
fn refusal(error: &catalog::Error, retry: &RetryAfter) -> DmlError {
    let reason = error.to_string();
    match error {
        catalog::Error::SchemaConflict { .. } => DmlError::SchemaChanged,
        catalog::Error::Limit { limit, .. } => DmlError::Rejected { why: beyond(*limit), reason },
        _ => match error.kind() {
            ErrorKind::Rejected => DmlError::Rejected { why: Rejection::Invalid, reason },
            ErrorKind::Fenced => DmlError::Fenced { reason },
            ErrorKind::Corrupt | ErrorKind::Fatal => DmlError::Internal { reason },
            // Nothing is known of how long a catalog stays busy.
            _ => DmlError::Busy { reason, retry_after: retry.soon() },
        },
    }
}

const fn beyond(limit: Limit) -> Rejection {
    match limit {
        // There is room for the names, but not for so many of them in one request.
        Limit::CommandBytes => Rejection::TooLarge,
        _ => Rejection::NamesExhausted,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use types::effect::{ManualClock, SeededRandomness};
    use types::{ColumnKind, ColumnName, TableName};

    use super::*;

    #[test]
    fn a_limit_of_names_a_command_too_long_and_a_column_that_clashes_are_told_apart() {
        let clock = Arc::new(ManualClock::default());
        let retry = RetryAfter::new(clock, Arc::new(SeededRandomness::new(1)));
        let of = |limit| catalog::Error::Limit { limit, max: 7, table: None };
        let clash = catalog::Error::ColumnConflict {
            table: TableName::new("t").expect("a good name"),
            column: ColumnName::new("c").expect("a good name"),
            kind: ColumnKind::Tag,
        };
        for (error, expected) in [
            (of(Limit::Databases), Rejection::NamesExhausted),
            (of(Limit::Tables), Rejection::NamesExhausted),
            (of(Limit::Columns), Rejection::NamesExhausted),
            (of(Limit::CommandBytes), Rejection::TooLarge),
            (clash, Rejection::Invalid),
        ] {
            let refused = refusal(&error, &retry);
            assert!(
                matches!(refused, DmlError::Rejected { why, .. } if why == expected),
                "{error}: {refused:?}"
            );
        }
    }

    #[test]
    fn those_whom_a_busy_catalog_refuses_do_not_come_back_all_at_once() {
        let clock = Arc::new(ManualClock::default());
        let retry = RetryAfter::new(clock, Arc::new(SeededRandomness::new(1)));
        let busy = catalog::Error::Busy { reason: "the disk is full".to_owned() };
        let told = |_| match refusal(&busy, &retry) {
            DmlError::Busy { retry_after, .. } => retry_after.as_secs(),
            other => panic!("busy, not {other}"),
        };
        let told: BTreeSet<u64> = (0..100).map(told).collect();
        assert_eq!(told, (1..=5).collect());
    }
}
