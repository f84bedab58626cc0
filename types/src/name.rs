//! Names that users give to databases, tables and columns, checked once at the edge.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// Longest database name, in characters.
pub const DATABASE_NAME_CHARS_MAX: usize = 64;
/// Longest name of a database or table once percent-encoded, in bytes: with a suffix it still fits
/// into the 255 bytes that file systems allow a path segment.
pub const ENCODED_NAME_BYTES_MAX: usize = 200;
/// Longest column name in bytes; its length fits into one byte of the series encoding.
pub const COLUMN_NAME_BYTES_MAX: usize = 255;
/// The name of the column that every table has.
pub const TIME: &str = "time";

/// Everything that means something in an object key, a URL or a file system is escaped.
const PATH_SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'*')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'~');

/// One segment of an object key for a user's name: percent-encoded, and never `.` or `..`.
pub fn path_segment(name: &str) -> String {
    match name {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(name, PATH_SEGMENT).to_string(),
    }
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("a {what} name must not be empty")]
    Empty {
        /// `database`, `table` or `column`.
        what: &'static str,
    },
    /// The name is longer than the limit.
    #[error("the {what} name of {actual} {unit} is longer than the limit of {limit}")]
    TooLong {
        /// `database`, `table` or `column`.
        what: &'static str,
        /// What is counted.
        unit: &'static str,
        /// The name's length.
        actual: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// The name has a control character.
    #[error("the {what} name {name:?} has a control character")]
    ControlCharacter {
        /// `database`, `table` or `column`.
        what: &'static str,
        /// The name.
        name: String,
    },
}

fn check_text(what: &'static str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter { what, name: name.to_owned() });
    }
    Ok(())
}

fn check_length(
    what: &'static str,
    unit: &'static str,
    actual: usize,
    limit: usize,
) -> Result<(), NameError> {
    if actual > limit {
        return Err(NameError::TooLong { what, unit, actual, limit });
    }
    Ok(())
}

/// Declares a checked name over shared text.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `name` against the limits of its kind.
            ///
            /// # Errors
            ///
            /// [`NameError`] with the rule that it breaks.
            pub fn new(name: &str) -> Result<Self, NameError> {
                $check(name)?;
                Ok(Self(Arc::from(name)))
            }

            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(&name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name! {
    /// The name of a database: 1 to 64 characters, at most 200 bytes when percent-encoded.
    DatabaseName, check_database
}
name! {
    /// The name of a table: at most 200 bytes when percent-encoded.
    TableName, check_table
}
name! {
    /// The name of a column: at most 255 bytes. `time` is the one that every table has.
    ColumnName, check_column
}

impl ColumnName {
    /// The column `time`.
    pub fn time() -> Self {
        Self(Arc::from(TIME))
    }

    /// True for the column `time`.
    pub fn is_time(&self) -> bool {
        &*self.0 == TIME
    }
}

fn check_database(name: &str) -> Result<(), NameError> {
    check_text("database", name)?;
    check_length("database", "characters", name.chars().count(), DATABASE_NAME_CHARS_MAX)?;
    check_encoded("database", name)
}

fn check_table(name: &str) -> Result<(), NameError> {
    check_text("table", name)?;
    check_encoded("table", name)
}

fn check_encoded(what: &'static str, name: &str) -> Result<(), NameError> {
    check_length(what, "percent-encoded bytes", path_segment(name).len(), ENCODED_NAME_BYTES_MAX)
}

fn check_column(name: &str) -> Result<(), NameError> {
    check_text("column", name)?;
    check_length("column", "bytes", name.len(), COLUMN_NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_takes_n_and_refuses_n_plus_one() {
        assert!(DatabaseName::new(&"d".repeat(64)).is_ok());
        assert!(DatabaseName::new(&"d".repeat(65)).is_err());
        assert!(DatabaseName::new(&"%".repeat(64)).is_ok());
        assert!(TableName::new(&"t".repeat(200)).is_ok());
        assert!(TableName::new(&"t".repeat(201)).is_err());
        assert!(TableName::new(&"/".repeat(67)).is_err());
        assert!(ColumnName::new(&"c".repeat(255)).is_ok());
        assert!(ColumnName::new(&"c".repeat(256)).is_err());
        assert!(ColumnName::new("").is_err());
        assert!(TableName::new("a\nb").is_err());
    }

    #[test]
    fn hostile_names_stay_one_path_segment() {
        for name in [".", "..", "../../etc", "a/b", "%2e%2e", "a\\b", "ü", "a b", "~", "\u{7f}"] {
            let segment = path_segment(name);
            assert!(!segment.contains('/') && segment != "." && segment != "..", "{segment}");
            let decoded = percent_encoding::percent_decode_str(&segment).decode_utf8();
            assert_eq!(decoded.expect("is UTF-8"), name);
        }
    }

    #[test]
    fn stored_names_are_checked_again() {
        assert!(serde_json::from_str::<TableName>("\"cpu\"").is_ok());
        assert!(serde_json::from_str::<TableName>("\"\"").is_err());
    }
}
