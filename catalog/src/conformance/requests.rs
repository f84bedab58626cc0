//! Commands: applied once, one version each, visible when answered.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use types::CatalogVersion;

use crate::command::Action;
use crate::config::Limits;
use crate::conformance::{
    Columns, Factory, Sender, add_file, change_columns, create, database, file, open_log, table,
};

/// Without gaps, whatever is refused in between.
pub async fn each_commit_raises_the_version_by_one(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    for n in 1..=5 {
        let before = sender.version();
        let committed = sender.add(add_file(file(n, n, n))).await.expect("a file");
        assert_eq!((committed.version, sender.version()), (before.next(), before.next()));
        sender.refused(open_log(1)).await;
    }
}

/// The version is that of the first time, also when others have committed since.
pub async fn a_repeated_request_is_answered_as_before(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let command = sender.command(open_log(2));
    let first = sender.catalog().apply(command.clone()).await.expect("the first");
    sender.add(add_file(file(1, 1, 1))).await.expect_err("that epoch is fenced now");
    sender.send(open_log(3)).await.expect("another commit");
    let newest = sender.version();
    let again = sender.catalog().apply(command).await.expect("the second");
    assert_eq!((again.version, again.repeated), (first.version, true));
    assert!(again.snapshot.version() >= newest, "an answer with an older state");
    assert_eq!(sender.version(), newest, "a repetition changed something");
}

/// By the time of the answer, for the sender and for those who watch.
pub async fn an_answered_command_is_in_the_snapshot(make: Factory<'_>) {
    let sender = Sender::to_empty(make);
    let mut watch = sender.catalog().watch();
    assert_eq!(*watch.borrow_and_update(), CatalogVersion::ZERO);
    let committed = sender.send(open_log(1)).await.expect("a commit");
    assert!(committed.snapshot.version() >= committed.version);
    assert!(sender.version() >= committed.version);
    let refreshed = sender.catalog().refresh().await.expect("it can be asked");
    assert!(refreshed.version() >= committed.version);
    let reached = watch.wait_for(|version| *version >= committed.version).await;
    assert!(reached.is_ok(), "the catalog is gone");
}

/// Who holds a snapshot holds one version.
pub async fn a_snapshot_stays_as_it_was(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    sender.add(add_file(file(1, 1, 4))).await.expect("a file");
    let held = sender.snapshot();
    let copy = held.as_ref().clone();
    sender.add(add_file(file(2, 5, 9))).await.expect("another file");
    let columns = Columns { tags: &["rack"], fields: &[] };
    let change = change_columns(database(1), &[(table(1), 1, columns)]);
    sender.send(change).await.expect("a column");
    sender.send(Action::DropDatabase { database: database(1).id }).await.expect("a drop");
    assert_eq!(*held, copy);
    let (_, table) = held.table_by_id(table(1).id).expect("it was there");
    assert_eq!(table.partitions.values().map(|held| held.files.len()).sum::<usize>(), 1);
}

/// A caller that goes away after its command was taken stops nothing.
pub async fn a_command_happens_though_nobody_waits_for_the_answer(make: Factory<'_>) {
    let sender = Sender::to_empty(make);
    let mut watch = sender.catalog().watch();
    {
        let command = sender.command(create(database(1), &[table(1)]));
        let mut abandoned = pin!(sender.catalog().apply(command));
        // Whether it was ready at once does not matter here.
        let _ = abandoned.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let happened = watch.wait_for(|version| version.get() == 1).await;
    assert!(happened.is_ok(), "the catalog is gone");
    assert!(sender.snapshot().table_by_id(table(1).id).is_some());
}

/// The state depends on the commands and their order alone.
pub async fn the_same_commands_make_equal_catalogs(make: Factory<'_>) {
    let catalogs = [make(Limits::default()), make(Limits::default())];
    for catalog in &catalogs {
        let sender = Sender::new(Arc::clone(catalog));
        sender.send(create(database(1), &[table(1), table(2)])).await.expect("tables");
        sender.send(open_log(1)).await.expect("a log");
        for n in 1..=3 {
            sender.add(add_file(file(n, n, n))).await.expect("a file");
        }
        sender.send(Action::DropTable { table: table(2).id }).await.expect("a drop");
    }
    let [one, other] = catalogs.map(|catalog| catalog.snapshot());
    assert_eq!(*one, *other);
}
