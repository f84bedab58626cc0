//! Why a whole request is refused; a single bad line is a `LineError`.

use std::time::Duration;

use types::schema::ColumnKind;
use types::seam::DmlError;
use types::{ErrorKind, NameError, Reservation, SchemaVersion, TableName};

/// When to try again where nothing better is known.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest text that is told: gRPC sends it in a header, of which clients take 8 KiB and more.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

/// Why a request is refused; nothing of it was kept unless [`Error::kind`] says `Unknown`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is missing or not understood.
    #[error("{0}")]
    Parameter(String),
    /// The name of the database or of a table cannot be one.
    #[error("{0}")]
    Name(#[from] NameError),
    /// The body has an encoding other than gzip.
    #[error("the content encoding {0:?} is not taken: send gzip, or none")]
    Encoding(String),
    /// The body is not what its encoding promises.
    #[error("the body cannot be inflated as what its encoding says")]
    Inflate(#[source] std::io::Error),
    /// The body ended before it was complete.
    #[error("the body could not be read")]
    Body(#[source] axum::Error),
    /// The body did not come, or not fast enough.
    #[error("the body did not come in time: {bytes} bytes of it were here after {waited:?}")]
    BodyTooSlow {
        /// What was read before.
        bytes: usize,
        /// How long was waited, for the next byte or for the whole.
        waited: Duration,
    },
    /// The body is larger than the limit.
    #[error("the body{state} is larger than the limit of {limit} bytes")]
    BodyTooLarge {
        /// Nothing, or that it was inflated.
        state: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The rows belong to more partitions than one request may touch.
    #[error(
        "the request has rows of more than {limit} partitions, the limit of partitions a request"
    )]
    TooManyPartitions {
        /// The limit.
        limit: usize,
    },
    /// The message names more tables than a request may touch partitions.
    #[error("the request names more than {limit} tables, the limit of partitions a request")]
    TooManyTables {
        /// The limit.
        limit: usize,
    },
    /// The rows times the columns are more than one request may have.
    #[error("the request has more than {limit} values, the limit of rows × columns a request")]
    TooManyCells {
        /// The limit.
        limit: u64,
    },
    /// The tag sets and strings are more text than one batch can hold.
    #[error("the request unfolds to more than {limit} bytes of tags and strings")]
    TooMuchText {
        /// The limit.
        limit: u64,
    },
    /// The body has no line, or the request no row.
    #[error("the write is empty")]
    Empty,
    /// No memory is left to go on with the request.
    #[error("no memory is left for the request: {bytes} more bytes were needed")]
    NoMemory {
        /// What was needed beyond what it had.
        bytes: u64,
    },
    /// The request needs more memory than all requests together may have.
    #[error(
        "the request needs {bytes} bytes more than requests may have of the memory budget: send \
         fewer rows at a time"
    )]
    MoreThanMemory {
        /// What was needed beyond what it had.
        bytes: u64,
    },
    /// A column of an Arrow batch does not fit.
    #[error("column {column:?} of table {table:?}: {reason}")]
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why not.
        reason: ColumnFault,
    },
    /// A row of an Arrow batch cannot be kept.
    #[error("a row of table {table:?} cannot be kept: {reason}")]
    Row {
        /// The table.
        table: String,
        /// Why not.
        reason: String,
    },
    /// The bytes are no Arrow stream.
    #[error("the rows of table {table:?} are not an Arrow IPC stream: {reason}")]
    Arrow {
        /// The table.
        table: String,
        /// What is wrong.
        reason: String,
    },
    /// A limit of names, tables, columns or databases, in a request that is kept whole or not at
    /// all.
    #[error("{0}")]
    NamesExhausted(String),
    /// The sender knows another version of a table's columns.
    #[error("the columns of table {table} are at version {current}, not {sent}")]
    StaleSchema {
        /// The table.
        table: TableName,
        /// What the sender knows.
        sent: SchemaVersion,
        /// What is true.
        current: SchemaVersion,
    },
    /// The columns of the table changed as often as the request was checked.
    #[error("the table's columns changed {0} times while the write was checked")]
    SchemaKeepsChanging(usize),
    /// The write was not acknowledged.
    #[error("{0}")]
    Sink(#[from] DmlError),
    /// The catalog did not do what it was asked for.
    #[error("the catalog did not answer as it should")]
    Catalog(#[from] catalog::Error),
    /// A fault of this program.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a column of an Arrow batch does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnFault {
    /// There is no such column where there must be one.
    #[error("there has to be exactly one timestamp column, or one that is called so")]
    NoTime,
    /// Another column would be needed to hold its type.
    #[error("a {given} cannot be held by a {known}")]
    Kind {
        /// What the table has.
        known: ColumnKind,
        /// What the batch has.
        given: ColumnKind,
    },
    /// No column can hold its type.
    #[error("the Arrow type {0} is not taken")]
    Type(String),
    /// A row has no time.
    #[error("row {row} is null or out of the range of time")]
    NullTime {
        /// The row, counted from 0.
        row: usize,
    },
    /// A float is not a number or not finite.
    #[error("row {row} is not finite")]
    NotFinite {
        /// The row, counted from 0.
        row: usize,
    },
    /// A text is longer than the limit.
    #[error("row {row} is longer than the limit of {limit} bytes a string")]
    TooLong {
        /// The row, counted from 0.
        row: usize,
        /// The limit.
        limit: usize,
    },
    /// Two columns have this name.
    #[error("there are two of this name")]
    Twice,
}

impl Error {
    /// There are no `bytes` more for a request that has `held` and, in other reservations,
    /// `beside`: now, or ever.
    pub(crate) fn no_memory(held: &Reservation, beside: u64, bytes: u64) -> Self {
        if held.could_grow(bytes.saturating_add(beside)) {
            Self::NoMemory { bytes }
        } else {
            Self::MoreThanMemory { bytes }
        }
    }

    /// What the caller has to do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            // A network that stalls is a passing fault: a 4xx would have the lines thrown away.
            Self::BodyTooSlow { .. }
            | Self::NoMemory { .. }
            | Self::StaleSchema { .. }
            | Self::SchemaKeepsChanging(_) => ErrorKind::Busy,
            Self::Sink(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Internal(_) => ErrorKind::Unknown,
            _ => ErrorKind::Rejected,
        }
    }

    /// When to send the request again as it is, if that can help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Sink(DmlError::Busy { retry_after, .. }) => Some(*retry_after),
            error if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Fenced) => {
                Some(RETRY_AFTER)
            }
            _ => None,
        }
    }

    /// The error and its causes in one text, for who has to act on it.
    pub fn chain(&self) -> String {
        cut(types::error::chain(self), TEXT_BYTES_MAX)
    }
}

/// The beginning of a text, cut between two characters: some errors repeat what was sent.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(cut("xüü".to_owned(), 4), "xü");
        assert_eq!(cut("short".to_owned(), 5), "short");
        let error = Error::Parameter("ü".repeat(TEXT_BYTES_MAX));
        assert_eq!(error.chain().len(), TEXT_BYTES_MAX);
    }
}
