//! Why a line is not kept.

use types::NameError;
use types::schema::ColumnKind;

/// Why a line is not kept; the other lines of its request are not touched by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LineError {
    /// The bytes are no text.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// The parser does not understand it.
    #[error("{0}")]
    Syntax(String),
    /// It is longer than the limit.
    #[error("the line is longer than the limit of {limit} bytes a line")]
    LineTooLong {
        /// The limit.
        limit: usize,
    },
    /// It has more tags than the limit.
    #[error("the line has {count} tags, more than the limit of {limit} tags a line")]
    TooManyTags {
        /// How many it has.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A value is longer than the limit.
    #[error("the value of {column:?} is longer than the limit of {limit} bytes a string")]
    StringTooLong {
        /// The tag or field.
        column: String,
        /// The limit.
        limit: usize,
    },
    /// A tag comes twice.
    #[error("the tag {tag:?} comes twice")]
    DuplicateTag {
        /// The tag.
        tag: String,
    },
    /// A float is not a number or not finite.
    #[error("the value of {column:?} is not finite")]
    NotFinite {
        /// The field.
        column: String,
    },
    /// The column's kind or type is another: that of the table, of an earlier line of the request,
    /// or of the same line. It never changes.
    #[error("column {column:?} is a {known}; it cannot take a {given}")]
    KindDiffers {
        /// The column.
        column: String,
        /// What it is.
        known: ColumnKind,
        /// What the line has.
        given: ColumnKind,
    },
    /// The time cannot be held.
    #[error("the timestamp {timestamp} lies outside of 1677-09-21 to 2262-04-11")]
    TimeOutOfRange {
        /// The timestamp as it was written.
        timestamp: i64,
    },
    /// A name cannot be one.
    #[error("{0}")]
    Name(#[from] NameError),
    /// The table has as many columns as it may.
    #[error("the table would have more than the limit of {limit} columns a table")]
    TooManyColumns {
        /// The limit.
        limit: usize,
    },
    /// The database has as many tables as it may.
    #[error("the database would have more than the limit of {limit} tables a database")]
    TooManyTables {
        /// The limit.
        limit: usize,
    },
    /// There are as many databases as there may be.
    #[error("there would be more than the limit of {limit} databases")]
    TooManyDatabases {
        /// The limit.
        limit: usize,
    },
}

impl LineError {
    /// True for the limits of names, columns, tables and databases, which have a status of their
    /// own.
    pub(crate) const fn exhausts_names(&self) -> bool {
        matches!(
            self,
            Self::Name(NameError::TooLong { .. })
                | Self::TooManyColumns { .. }
                | Self::TooManyTables { .. }
                | Self::TooManyDatabases { .. }
        )
    }
}
