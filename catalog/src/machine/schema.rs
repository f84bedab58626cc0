//! Schema changes: a database, its tables and their columns in one step, if all is as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use types::schema::TableChange;
use types::{SchemaChange, SchemaVersion, TableName, TableSchema};

use crate::config::Limits;
use crate::error::{Error, Limit};
use crate::machine::Effect;
use crate::snapshot::Snapshot;
use crate::table::Database;

/// Creates what the change names.
pub(super) fn change(
    root: &mut Snapshot,
    change: &SchemaChange,
    limits: &Limits,
) -> Result<Effect, Error> {
    check_database(root, change, limits)?;
    check_tables(root, change, limits)?;
    let schemas = change.tables.iter().map(|table| next_schema(root, change, table));
    let schemas = schemas.collect::<Result<Vec<_>, _>>()?;
    check_columns(&schemas, limits)?;
    root.database_mut(&change.database);
    for schema in schemas {
        root.put_schema(&change.database, Arc::new(schema));
    }
    Ok(Effect::Changed(root.version.next()))
}

/// The database must be the one that was seen, or absent where none was seen.
fn check_database(root: &Snapshot, change: &SchemaChange, limits: &Limits) -> Result<(), Error> {
    match root.database(&change.database.name) {
        Some(held) if held.id == change.database.id => Ok(()),
        None if change.create_database && !root.has_seen_database(change.database.id) => {
            check_limit(Limit::Databases, root.databases().len() + 1, limits.databases_max, None)
        }
        _ => Err(conflict(change, None)),
    }
}

/// No table may be named twice, by name or by id, and the new ones must fit.
fn check_tables(root: &Snapshot, change: &SchemaChange, limits: &Limits) -> Result<(), Error> {
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for TableChange { table, .. } in &change.tables {
        if !names.insert(&table.name) || !ids.insert(table.id) {
            return Err(conflict(change, Some(&table.name)));
        }
    }
    let database = root.database(&change.database.name);
    let mut tables = database.map_or(0, |database| database.tables.len());
    for name in names {
        if held_schema(database, name).is_none() {
            tables += 1;
            check_limit(Limit::Tables, tables, limits.tables_max, Some(name))?;
        }
    }
    Ok(())
}

/// The schema that the table gets, if the table is as it was when the change was checked.
fn next_schema(
    root: &Snapshot,
    change: &SchemaChange,
    table: &TableChange,
) -> Result<TableSchema, Error> {
    let TableChange { table, based_on, add } = table;
    let database = root.database(&change.database.name);
    let next = match held_schema(database, &table.name) {
        Some(held) if held.table.id == table.id && held.version == *based_on => held.with(add),
        None if *based_on == SchemaVersion::ZERO && !root.has_seen_table(table.id) => {
            TableSchema::empty(table.clone()).with(add)
        }
        _ => return Err(conflict(change, Some(&table.name))),
    };
    next.map_err(|column| Error::ColumnConflict {
        table: table.name.clone(),
        column: column.name,
        kind: column.kind,
    })
}

fn check_columns(schemas: &[TableSchema], limits: &Limits) -> Result<(), Error> {
    for schema in schemas {
        let columns = schema.columns().len();
        check_limit(Limit::Columns, columns, limits.columns_max, Some(&schema.table.name))?;
    }
    Ok(())
}

fn held_schema<'a>(
    database: Option<&'a Arc<Database>>,
    table: &TableName,
) -> Option<&'a TableSchema> {
    Some(database?.tables.get(table)?.schema.as_ref())
}

fn check_limit(
    limit: Limit,
    wanted: usize,
    max: usize,
    table: Option<&TableName>,
) -> Result<(), Error> {
    if wanted <= max {
        return Ok(());
    }
    Err(Error::Limit { limit, max, table: table.cloned() })
}

fn conflict(change: &SchemaChange, table: Option<&TableName>) -> Error {
    Error::SchemaConflict { database: change.database.name.clone(), table: table.cloned() }
}
