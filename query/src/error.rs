//! Why a query has no answer, or no whole one.

use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use types::seam::QueryError;
use types::{CatalogVersion, DatabaseName, ErrorKind};

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such database.
    #[error("there is no database {database}")]
    DatabaseNotFound {
        /// What was asked for.
        database: DatabaseName,
    },
    /// There is no such table in the database.
    #[error("there is no table {table} in database {database}")]
    TableNotFound {
        /// The database.
        database: String,
        /// What was asked for.
        table: String,
    },
    /// The request is not formed as it has to be.
    #[error("{reason}")]
    Parameter {
        /// Which part of it, and what is wrong.
        reason: String,
    },
    /// The body of the request did not come in time.
    #[error("the body did not come within {timeout:?}")]
    BodyTooSlow {
        /// How long was waited.
        timeout: Duration,
    },
    /// A part of the request is larger than the limit.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The part.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The answer cannot be had in the form that was asked for.
    #[error("the answer cannot be rendered as {format}")]
    NotRendered {
        /// The form.
        format: &'static str,
        /// What it has no place for.
        source: Box<ArrowError>,
    },
    /// The statement is understood, but not one that queries may hold.
    #[error("{statement} is refused: {reason}")]
    Refused {
        /// The kind of statement.
        statement: String,
        /// Why, and what to do instead.
        reason: &'static str,
    },
    /// The statement cannot be understood, or fails on the values that it meets.
    #[error("the query is not valid")]
    Invalid(#[source] Box<DataFusionError>),
    /// As many queries run as may.
    #[error("{limit} queries are running, and no more may")]
    TooManyQueries {
        /// The limit.
        limit: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The query took too long.
    #[error("the query was ended after {timeout:?}")]
    TimedOut {
        /// How long it may take.
        timeout: Duration,
    },
    /// The query needs more memory than there is for queries now.
    #[error("the query needs more memory than queries may use now")]
    OutOfMemory(#[source] Box<DataFusionError>),
    /// The buffer could not be read.
    #[error("read the buffer")]
    Buffer(#[from] QueryError),
    /// The catalog could not be read.
    #[error("read the catalog")]
    Catalog(#[from] catalog::Error),
    /// This node does not know a version of the catalog that another node reads.
    #[error("the catalog is known up to version {known} here, and version {wanted} is wanted")]
    CatalogBehind {
        /// The newest version that is known here.
        known: CatalogVersion,
        /// What was asked for.
        wanted: CatalogVersion,
    },
    /// The object store did not give the bytes of a file.
    #[error("fetch file {path}")]
    Fetch {
        /// The file's key in the object store.
        path: String,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file is not what the catalog says it is.
    #[error("file {path} is not readable as {expected}")]
    Corrupt {
        /// The file's key in the object store.
        path: String,
        /// Which bytes of it should be what.
        expected: &'static str,
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The query hit a fault of this program. Other queries are not touched by it.
    #[error("the query failed by a fault of this program: {reason}")]
    Fault {
        /// What happened.
        reason: String,
    },
    /// Execution failed for another reason.
    #[error("the query failed")]
    Failed(#[source] Box<DataFusionError>),
}

impl Error {
    /// What the caller has to do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DatabaseNotFound { .. }
            | Self::TableNotFound { .. }
            | Self::Parameter { .. }
            | Self::TooLarge { .. }
            | Self::NotRendered { .. }
            | Self::Refused { .. }
            | Self::Invalid(_) => ErrorKind::Rejected,
            Self::BodyTooSlow { .. }
            | Self::TooManyQueries { .. }
            | Self::TimedOut { .. }
            | Self::OutOfMemory(_)
            | Self::CatalogBehind { .. }
            | Self::Fetch { .. } => ErrorKind::Busy,
            Self::Buffer(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Failed(error) => match Self::shared_by(error) {
                Some(own) => own.kind(),
                None => ErrorKind::Unknown,
            },
            Self::Fault { .. } => ErrorKind::Unknown,
        }
    }

    /// The error of this crate that several streams of one query failed by, and none can own.
    fn shared_by(error: &DataFusionError) -> Option<&Self> {
        match error.find_root() {
            DataFusionError::External(source) => source.downcast_ref(),
            _ => None,
        }
    }

    /// When to try again, for errors that pass.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyQueries { retry_after, .. }
            | Self::Buffer(QueryError::NotReady { retry_after, .. }) => Some(*retry_after),
            _ => None,
        }
    }
}

/// Finds what an error of a stream means: errors of this crate travel through DataFusion.
impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => Self::Failed(Box::new(DataFusionError::External(other))),
            },
            DataFusionError::ArrowError(source, trace) => match *source {
                ArrowError::ExternalError(source) => Self::from(DataFusionError::External(source)),
                source => Self::of_root(DataFusionError::ArrowError(Box::new(source), trace)),
            },
            DataFusionError::Context(text, source) => match Self::from(*source) {
                Self::Invalid(source) => {
                    Self::Invalid(Box::new(DataFusionError::Context(text, source)))
                }
                other => other,
            },
            DataFusionError::Diagnostic(_, source) => Self::from(*source),
            DataFusionError::Shared(source) => match Arc::try_unwrap(source) {
                Ok(source) => Self::from(source),
                Err(shared) => Self::of_root(DataFusionError::Shared(shared)),
            },
            other => Self::of_root(other),
        }
    }
}

impl Error {
    fn of_root(error: DataFusionError) -> Self {
        let error = Box::new(error);
        match error.find_root() {
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::Configuration(_)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Execution(_)
            | DataFusionError::ArrowError(..)
            | DataFusionError::Collection(_) => Self::Invalid(error),
            DataFusionError::ResourcesExhausted(_) => Self::OutOfMemory(error),
            _ => Self::Failed(error),
        }
    }
}

/// Arrow refuses what this program got wrong: users' values are not computed with in this crate.
impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

/// Lets an error of this crate travel through DataFusion's streams.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
