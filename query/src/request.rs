//! What is asked of the engine, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use types::{CatalogVersion, DatabaseName, Position};

/// One query.
#[derive(Clone, Debug)]
pub struct Request {
    /// The database whose tables the query sees.
    pub database: DatabaseName,
    /// One statement.
    pub sql: String,
    /// The values of `$name` by `name`, and of `$1` by `1`.
    pub params: BTreeMap<String, ScalarValue>,
    /// What the query has to see: a position that a write returned.
    pub position: Option<Position>,
}

/// The answer to a query: its stream holds all that the query needs until it is dropped.
pub struct Answer {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows. An error is the last item; [`Error::from`](crate::Error) tells what it means.
    pub stream: SendableRecordBatchStream,
    /// The catalog version whose files are read.
    pub version: CatalogVersion,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("schema", &self.schema)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
