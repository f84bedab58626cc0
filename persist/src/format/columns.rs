//! The columns of a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use types::schema::arrow_field;
use types::{Batch, ColumnDef, ColumnKind, ColumnName, TableSchema};

/// The columns of a table and those that occur in some of its batches, in name order.
pub(crate) fn of<'a>(
    batches: impl Iterator<Item = &'a Batch>,
    table: Option<&TableSchema>,
) -> Vec<ColumnDef> {
    let mut kinds = BTreeMap::from([(ColumnName::time(), ColumnKind::Time)]);
    let known = table.into_iter().flat_map(TableSchema::columns);
    kinds.extend(known.map(|(name, kind)| (name.clone(), kind)));
    for batch in batches {
        kinds.extend(batch.tags().into_iter().map(|tag| (tag, ColumnKind::Tag)));
        let fields = batch.fields().iter();
        kinds.extend(
            fields.map(|field| (field.name.clone(), ColumnKind::Field(field.field_type()))),
        );
    }
    kinds.into_iter().map(|(name, kind)| ColumnDef { name, kind }).collect()
}

/// The columns as queries see them: tags are dictionaries.
pub(crate) fn as_queried(columns: &[ColumnDef]) -> SchemaRef {
    let fields = columns.iter().map(|column| arrow_field(&column.name, column.kind));
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}

/// The columns as files have them: tags are strings.
pub(crate) fn as_written(columns: &[ColumnDef]) -> SchemaRef {
    let fields = columns.iter().map(|column| {
        let field = arrow_field(&column.name, column.kind);
        match column.kind {
            ColumnKind::Tag => field.with_data_type(DataType::Utf8),
            ColumnKind::Field(_) | ColumnKind::Time => field,
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}
