//! Databases, tables and columns come about in one conditional step.

use types::{ColumnKind, DatabaseId, DatabaseRef, SchemaVersion, TableId, TableRef};

use crate::command::Action;
use crate::config::Limits;
use crate::conformance::{Columns, Factory, Sender, change_columns, create, database, table};
use crate::error::{Error, Limit};

const NO_COLUMNS: Columns<'static> = Columns { tags: &[], fields: &[] };

fn is_schema_conflict(error: &Error) -> bool {
    matches!(error, Error::SchemaConflict { .. })
}

/// One command makes a database, its tables and their columns, and they are found by name and id.
pub async fn a_change_creates_everything_in_one_step(make: Factory<'_>) {
    let sender = Sender::to_empty(make);
    assert_eq!(sender.version().get(), 0);
    let change = create(database(1), &[table(1), table(2)]);
    let committed = sender.send(change).await.expect("all of it is new");
    assert_eq!((committed.version.get(), committed.repeated), (1, false));
    let snapshot = sender.snapshot();
    let held = snapshot.database(&database(1).name).expect("by name");
    assert_eq!(snapshot.database_by_id(database(1).id), Some(held));
    assert_eq!(held.tables.len(), 2);
    let (of, held) = snapshot.table_by_id(table(2).id).expect("by id");
    assert_eq!((of.id, held.schema.table.clone()), (database(1).id, table(2)));
    assert_eq!(held.schema.version, SchemaVersion::new(1));
    assert_eq!(held.schema.kind("host"), Some(ColumnKind::Tag));
    assert_eq!(held.schema.kind("time"), Some(ColumnKind::Time));
}

/// The loser of two changes that were checked against one version hears of it.
pub async fn a_change_based_on_an_older_version_conflicts(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let region = Columns { tags: &["region"], ..NO_COLUMNS };
    let rack = Columns { tags: &["rack"], ..NO_COLUMNS };
    let change = |based_on, columns| change_columns(database(1), &[(table(1), based_on, columns)]);
    sender.send(change(1, region)).await.expect("based on the newest");
    let error = sender.refused(change(1, rack)).await;
    assert!(is_schema_conflict(&error), "{error}");
    sender.send(change(2, rack)).await.expect("checked again");
    let tags = sender.table(1).schema.tags().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(tags, ["host", "rack", "region"]);
}

/// A change is whole or absent, whichever of its tables is the stale one.
pub async fn a_conflict_in_one_table_keeps_nothing_of_the_change(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let stale = (table(1), 0, NO_COLUMNS);
    let fresh = (table(2), 0, NO_COLUMNS);
    let changes = [[stale.clone(), fresh.clone()], [fresh.clone(), stale]];
    for tables in changes {
        let error = sender.refused(change_columns(database(1), &tables)).await;
        assert!(is_schema_conflict(&error), "{error}");
    }
    let twice = change_columns(database(1), &[fresh.clone(), fresh]);
    assert!(is_schema_conflict(&sender.refused(twice).await));
}

/// A database of that name with another id, or none where one was seen.
pub async fn a_database_that_somebody_else_created_conflicts(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let imposter = DatabaseRef { id: DatabaseId::new(99), ..database(1) };
    assert!(is_schema_conflict(&sender.refused(create(imposter, &[])).await));
    let renamed = DatabaseRef { id: database(1).id, ..database(2) };
    assert!(is_schema_conflict(&sender.refused(create(renamed, &[])).await));
    let gone = change_columns(database(3), &[(table(3), 0, NO_COLUMNS)]);
    assert!(is_schema_conflict(&sender.refused(gone).await));
}

/// A table of that name with another id, or that id under another name.
pub async fn a_table_that_somebody_else_created_conflicts(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let imposter = TableRef { id: TableId::new(99), ..table(1) };
    for based_on in [0, 1] {
        let change = change_columns(database(1), &[(imposter.clone(), based_on, NO_COLUMNS)]);
        assert!(is_schema_conflict(&sender.refused(change).await));
    }
    let renamed = TableRef { id: table(1).id, ..table(2) };
    let change = change_columns(database(1), &[(renamed, 0, NO_COLUMNS)]);
    assert!(is_schema_conflict(&sender.refused(change).await));
}

/// Of several who create one name at once, each with an id of its own, one succeeds.
pub async fn concurrent_creations_of_one_database_leave_one(make: Factory<'_>) {
    let sender = Sender::to_empty(make);
    let create_as = |id| create(DatabaseRef { id: DatabaseId::new(id), ..database(1) }, &[]);
    let (one, two, three) = tokio::join!(
        sender.send(create_as(1)),
        sender.send(create_as(2)),
        sender.send(create_as(3))
    );
    let outcomes = [one, two, three];
    let errors = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert_eq!(errors.filter(|error| is_schema_conflict(error)).count(), 2);
    assert_eq!((sender.snapshot().databases().len(), sender.version().get()), (1, 1));
}

/// The first kind of a column is its last.
pub async fn a_column_keeps_its_kind(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    for columns in [
        Columns { fields: &["host"], ..NO_COLUMNS },
        Columns { tags: &["time"], ..NO_COLUMNS },
        Columns { tags: &["new"], fields: &["new"] },
    ] {
        let error = sender.refused(change_columns(database(1), &[(table(1), 1, columns)])).await;
        assert!(matches!(error, Error::ColumnConflict { .. }), "{error}");
    }
}

/// Each limit is refused by its name, and one less is taken.
pub async fn each_limit_takes_n_and_refuses_n_plus_one(make: Factory<'_>) {
    let limits = Limits { databases_max: 2, tables_max: 2, columns_max: 4 };
    let sender = Sender::new(make(limits));
    let refused = async |action: Action, expected: Limit| {
        let error = sender.refused(action).await;
        assert!(matches!(error, Error::Limit { limit, .. } if limit == expected), "{error}");
    };
    sender.send(create(database(1), &[table(1), table(2)])).await.expect("two tables");
    sender.send(create(database(2), &[])).await.expect("two databases");
    refused(create(database(3), &[]), Limit::Databases).await;
    let third = change_columns(database(1), &[(table(3), 0, NO_COLUMNS)]);
    refused(third, Limit::Tables).await;
    refused(create(database(2), &[table(4), table(5), table(6)]), Limit::Tables).await;
    let fourth = Columns { tags: &["fourth"], ..NO_COLUMNS };
    let fifth = Columns { tags: &["fifth"], ..NO_COLUMNS };
    let change = |based_on, columns| change_columns(database(1), &[(table(1), based_on, columns)]);
    sender.send(change(1, fourth)).await.expect("four columns");
    refused(change(2, fifth), Limit::Columns).await;
}
