//! How a caller has everything persisted that was acknowledged before the call.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::ErrorKind;
use crate::name::{DatabaseName, TableName};

/// Persists on demand.
#[async_trait]
pub trait PersistNow: Debug + Send + Sync {
    /// Returns when everything in `database` (or in one `table` of it) that was acknowledged before
    /// the call is in files and committed, also what other jobs had already taken.
    ///
    /// # Errors
    ///
    /// [`PersistNowError::TimedOut`] after `timeout`, naming what is left.
    async fn persist_now(
        &self,
        database: &DatabaseName,
        table: Option<&TableName>,
        timeout: Duration,
    ) -> Result<(), PersistNowError>;
}

/// Why a demand to persist was not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PersistNowError {
    /// There is no database or table of that name.
    #[error("there is no {what}")]
    NotFound {
        /// The name, with what it names.
        what: String,
    },
    /// Time was up.
    #[error("not everything was persisted within {timeout:?}; left are {left}")]
    TimedOut {
        /// How long was waited.
        timeout: Duration,
        /// The partitions that are left.
        left: String,
    },
    /// This node is replaying its log, or ending.
    #[error("{reason}")]
    NotReady {
        /// What it is doing.
        reason: String,
    },
}

impl PersistNowError {
    /// What the caller has to do.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::Rejected,
            Self::TimedOut { .. } | Self::NotReady { .. } => ErrorKind::Busy,
        }
    }
}
