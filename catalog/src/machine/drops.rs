//! Drops: the ids are dead for good, whatever the log still holds for them.

use types::{DatabaseId, TableId};

use crate::error::Error;
use crate::machine::Effect;
use crate::snapshot::Snapshot;

/// Drops a table.
pub(super) fn table(root: &mut Snapshot, id: TableId) -> Result<Effect, Error> {
    if let Some(version) = root.dropped_at(id) {
        return Ok(Effect::Repeated(version));
    }
    if root.table_by_id(id).is_none() {
        return Err(Error::NotFound { what: "table", id: id.to_string() });
    }
    let version = root.version.next();
    root.remove_table(id, version);
    Ok(Effect::Changed(version))
}

/// Drops a database and its tables.
pub(super) fn database(root: &mut Snapshot, id: DatabaseId) -> Result<Effect, Error> {
    if let Some(version) = root.dead.databases.get(&id) {
        return Ok(Effect::Repeated(*version));
    }
    if root.database_by_id(id).is_none() {
        return Err(Error::NotFound { what: "database", id: id.to_string() });
    }
    let version = root.version.next();
    root.remove_database(id, version);
    Ok(Effect::Changed(version))
}
