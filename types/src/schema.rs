//! What a table's columns are, and what a write wants to add to them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::id::{DatabaseId, SchemaVersion, TableId};
use crate::name::{ColumnName, DatabaseName, TableName};

/// The key of a field's metadata in Arrow schemas and Parquet files that says what it is.
pub const KIND_METADATA_KEY: &str = "forebay.kind";

/// The type of a field column. A column's type is set by the first write that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 64-bit integer.
    U64,
    /// 64-bit float; never NaN, never infinite.
    F64,
    /// Boolean.
    Bool,
    /// UTF-8 text.
    Utf8,
}

impl FieldType {
    /// The Arrow type that holds it.
    pub const fn arrow(self) -> DataType {
        match self {
            Self::I64 => DataType::Int64,
            Self::U64 => DataType::UInt64,
            Self::F64 => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Utf8 => DataType::Utf8,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I64 => "integer",
            Self::U64 => "unsigned integer",
            Self::F64 => "float",
            Self::Bool => "boolean",
            Self::Utf8 => "string",
        })
    }
}

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Part of the primary key; text; an absent and an empty tag are the same.
    Tag,
    /// A value.
    Field(FieldType),
    /// The column `time`.
    Time,
}

impl ColumnKind {
    /// The Arrow type of the column as queries see it.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Tag => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Field(ty) => ty.arrow(),
            Self::Time => DataType::Timestamp(TimeUnit::Nanosecond, None),
        }
    }

    /// The word in the metadata of Arrow fields.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Field(_) => "field",
            Self::Time => "time",
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag => f.write_str("tag"),
            Self::Field(ty) => write!(f, "field of type {ty}"),
            Self::Time => f.write_str("time"),
        }
    }
}

/// A column's name and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ColumnDef {
    /// The name.
    pub name: ColumnName,
    /// What it is; never changes.
    pub kind: ColumnKind,
}

/// A database by both of its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseRef {
    /// For ever.
    pub id: DatabaseId,
    /// What users say.
    pub name: DatabaseName,
}

/// A table by both of its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRef {
    /// For ever.
    pub id: TableId,
    /// What users say.
    pub name: TableName,
}

/// One version of a table's columns. `time` is always among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The table.
    pub table: TableRef,
    /// Rises with each change.
    pub version: SchemaVersion,
    columns: BTreeMap<ColumnName, ColumnKind>,
}

impl TableSchema {
    /// The schema of a table that does not exist yet: `time` and nothing else, version zero.
    pub fn empty(table: TableRef) -> Self {
        let columns = BTreeMap::from([(ColumnName::time(), ColumnKind::Time)]);
        Self { table, version: SchemaVersion::ZERO, columns }
    }

    /// The columns in name order, which is the order of `SELECT *`.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&ColumnName, ColumnKind)> {
        self.columns.iter().map(|(name, kind)| (name, *kind))
    }

    /// The tag columns in name order.
    pub fn tags(&self) -> impl Iterator<Item = &ColumnName> {
        self.columns().filter(|(_, kind)| *kind == ColumnKind::Tag).map(|(name, _)| name)
    }

    /// The kind of the column called `name`.
    pub fn kind(&self, name: &str) -> Option<ColumnKind> {
        self.columns.get(name).copied()
    }

    /// The next version of the schema, with `added` columns.
    ///
    /// # Errors
    ///
    /// The first column that is there already with another kind.
    pub fn with(&self, added: &[ColumnDef]) -> Result<Self, ColumnDef> {
        let mut next = self.clone();
        next.version = self.version.next();
        for column in added {
            let kind = *next.columns.entry(column.name.clone()).or_insert(column.kind);
            if kind != column.kind {
                return Err(column.clone());
            }
        }
        Ok(next)
    }

    /// The Arrow schema as queries see it, columns in name order, each with its kind in the
    /// metadata.
    pub fn arrow(&self) -> SchemaRef {
        let fields: Vec<_> = self.columns().map(|(name, kind)| arrow_field(name, kind)).collect();
        Arc::new(Schema::new(fields))
    }
}

/// The Arrow field of a column, with its kind in the metadata. Only `time` is never null.
pub fn arrow_field(name: &ColumnName, kind: ColumnKind) -> Field {
    let metadata = HashMap::from([(KIND_METADATA_KEY.to_owned(), kind.word().to_owned())]);
    Field::new(name.as_str(), kind.arrow(), kind != ColumnKind::Time).with_metadata(metadata)
}

/// What one request adds to the catalog before it is appended: all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// The database; created if it has no tables yet and is not there.
    pub database: DatabaseRef,
    /// True if the database was not there when the request was checked.
    pub create_database: bool,
    /// The tables that gain columns, each once.
    pub tables: Vec<TableChange>,
}

/// What one request adds to one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChange {
    /// The table, with an id drawn for it if it is new.
    pub table: TableRef,
    /// The version that the request was checked against; zero creates the table. The change is
    /// refused if another has come between.
    pub based_on: SchemaVersion,
    /// The new columns.
    pub add: Vec<ColumnDef>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: ColumnKind) -> ColumnDef {
        ColumnDef { name: ColumnName::new(name).expect("a good name"), kind }
    }

    fn cpu() -> TableSchema {
        let name = TableName::new("cpu").expect("a good name");
        TableSchema::empty(TableRef { id: TableId::new(7), name })
    }

    #[test]
    fn columns_are_listed_in_name_order() {
        let schema = cpu()
            .with(&[
                column("usage", ColumnKind::Field(FieldType::F64)),
                column("host", ColumnKind::Tag),
            ])
            .expect("two new columns");
        let arrow = schema.arrow();
        let names: Vec<_> = arrow.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["host", "time", "usage"]);
        assert_eq!(arrow.field(0).metadata()[KIND_METADATA_KEY], "tag");
        assert_eq!(schema.version, SchemaVersion::new(1));
    }

    #[test]
    fn a_kind_never_changes() {
        let schema = cpu().with(&[column("host", ColumnKind::Tag)]).expect("a new column");
        let clash = column("host", ColumnKind::Field(FieldType::Utf8));
        assert_eq!(schema.with(std::slice::from_ref(&clash)), Err(clash));
        assert!(schema.with(&[column("time", ColumnKind::Tag)]).is_err());
    }

    #[test]
    fn a_stored_schema_is_read_back() {
        let schema = cpu().with(&[column("host", ColumnKind::Tag)]).expect("a new column");
        let text = serde_json::to_string(&schema).expect("serialises");
        assert_eq!(serde_json::from_str::<TableSchema>(&text).expect("parses"), schema);
    }
}
