//! Drops: ids are dead for good, names are free again.

use types::{DatabaseId, DatabaseRef, TableId, TableRef};

use crate::command::Action;
use crate::conformance::{
    Columns, Factory, Sender, add_file, change_columns, create, database, file, table,
};
use crate::error::Error;

/// Files for it are refused with the version that dropped it; its name may be used again, its id
/// not.
pub async fn a_dropped_table_is_dead_for_good(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    assert!(!sender.snapshot().is_dead(table(1).id));
    let dropped = sender.send(Action::DropTable { table: table(1).id }).await.expect("a drop");
    let snapshot = sender.snapshot();
    assert_eq!(snapshot.dropped_at(table(1).id), Some(dropped.version));
    assert!(snapshot.is_dead(table(1).id) && snapshot.table_by_id(table(1).id).is_none());
    assert!(snapshot.database(&database(1).name).expect("it stays").tables.is_empty());
    let error = sender.refused(Action::AddFile(add_file(file(1, 1, 4)))).await;
    let at = dropped.version;
    assert!(matches!(error, Error::DeadTable { version, .. } if version == at), "{error}");
    let error = sender.refused(create(database(1), &[table(1)])).await;
    assert!(matches!(error, Error::SchemaConflict { .. }), "{error}");
    let stale = (table(1), 1, Columns::default());
    let error = sender.refused(change_columns(database(1), &[stale])).await;
    assert!(matches!(error, Error::SchemaConflict { .. }), "{error}");
    let anew = TableRef { id: TableId::new(9), ..table(1) };
    sender.send(create(database(1), &[anew])).await.expect("another table of that name");
}

/// A database goes with everything in it.
pub async fn a_dropped_database_takes_its_tables_along(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    sender.send(create(database(2), &[table(2)])).await.expect("another database");
    let drop = Action::DropDatabase { database: database(1).id };
    let dropped = sender.send(drop).await.expect("a drop");
    let snapshot = sender.snapshot();
    assert_eq!(snapshot.dropped_at(table(1).id), Some(dropped.version));
    assert!(snapshot.database(&database(1).name).is_none());
    assert!(snapshot.database_by_id(database(1).id).is_none());
    assert!(snapshot.table_by_id(table(2).id).is_some(), "the other one is left alone");
    assert!(!snapshot.is_dead(table(2).id));
    let error = sender.refused(create(database(1), &[])).await;
    assert!(matches!(error, Error::SchemaConflict { .. }), "{error}");
    let anew = DatabaseRef { id: DatabaseId::new(9), ..database(1) };
    sender.send(create(anew, &[])).await.expect("another database of that name");
}

/// What is gone is gone; what never was is an error.
pub async fn dropping_twice_is_success_and_dropping_nothing_is_not(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    for drop in [
        Action::DropTable { table: table(1).id },
        Action::DropDatabase { database: database(1).id },
    ] {
        let first = sender.send(drop.clone()).await.expect("the first");
        let again = sender.send(drop).await.expect("the second");
        assert_eq!((again.version, again.repeated), (first.version, true));
    }
    for drop in [
        Action::DropTable { table: table(5).id },
        Action::DropDatabase { database: database(5).id },
    ] {
        let error = sender.refused(drop).await;
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}
