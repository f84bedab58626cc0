//! What the catalog answers: fenced logs, dropped tables, and a local store behind it all.

use super::*;
use crate::store::{DurableLocalStore, owner_of};
use crate::{Demand, Error};

#[tokio::test]
async fn a_fenced_log_commits_nothing_more_and_says_so() {
    let world = world(40, &[]).await;
    let handle = world.handle(&config(2)).await;
    world.open_log(1, 2).await;
    let before = world.catalog.snapshot().version();
    for first in [1, 11] {
        let receipt = handle.enqueue(job(first), Demand::Request).await;
        assert!(matches!(in_time(receipt).await, Err(Error::Fenced)));
    }
    assert!(handle.is_fenced() && handle.state().fenced);
    assert!(*handle.watch_fenced().borrow());
    assert_eq!(world.catalog.snapshot().version(), before);
    assert!(world.observer.settled.lock().is_empty(), "its segments must stay");
    in_time(handle.shutdown()).await;
}

#[tokio::test]
async fn rows_of_a_dropped_table_are_settled_without_a_file() {
    let world = world(41, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.apply(Action::DropTable { table: table().id }).await;
    let receipt = handle.enqueue(job(1), Demand::Request).await;
    check_dropped(&world, receipt).await;
    assert_eq!(handle.state().files, 0);
}

#[tokio::test]
async fn a_table_dropped_while_its_file_is_uploaded_leaves_no_object() {
    let world = world(42, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.store.shut_gate();
    let receipt = handle.enqueue(job(1), Demand::Request).await;
    in_time(world.store.wait_for_puts(1)).await;
    world.apply(Action::DropTable { table: table().id }).await;
    world.store.open_gate();
    check_dropped(&world, receipt).await;
}

async fn check_dropped(world: &World, receipt: Receipt) {
    let dropped_at = world.catalog.snapshot().version();
    match in_time(receipt).await {
        Ok(Outcome::TableDropped { version }) => assert_eq!(version, dropped_at),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.observer.settled.lock().len(), 1);
    assert!(world.objects().await.is_empty());
}

#[tokio::test]
async fn every_commit_says_how_far_the_log_has_got() {
    let world = world(43, &[]).await;
    let handle = world.handle(&config(1)).await;
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    let snapshot = world.catalog.snapshot();
    let entry = snapshot.log(log(1)).expect("is registered");
    assert_eq!((entry.epoch, entry.lsn), (Epoch::new(1), Lsn::new(1_000_000)));
}

#[tokio::test]
async fn rows_that_an_earlier_attempt_has_committed_are_settled_by_its_file() {
    let world = world(44, &[]).await;
    let handle = world.handle(&config(1)).await;
    let first = committed(handle.enqueue(job(1), Demand::Request).await).await;
    let again = committed(handle.enqueue(job(1), Demand::Request).await).await;
    assert_eq!(first.id, again.id);
    world.check_ranges(&[1]);
    world.check_files().await;
}

#[tokio::test]
async fn files_in_a_local_store_are_where_their_keys_say() {
    let world = world(45, &[]).await;
    world.open_log(1, 1).await;
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Arc::new(wal::disk::RealDisk);
    let store = DurableLocalStore::open(&dir.path().join("objects"), disk).expect("opens");
    let deps = Deps { store: Arc::new(store), ..world.deps(1) };
    let handle = PersistHandle::new(config(1), deps);
    let file = committed(handle.enqueue(job(1), Demand::Request).await).await;
    let on_disk = std::fs::metadata(dir.path().join("objects").join(&file.path)).expect("is there");
    assert_eq!(on_disk.len(), file.bytes);
}

#[tokio::test]
async fn a_log_that_does_not_own_the_prefix_uploads_nothing_and_says_whose_it_is() {
    let world = world(46, &[]).await;
    let first = world.handle(&config(1)).await;
    committed(first.enqueue(job(1), Demand::Request).await).await;
    let before = world.store.keys().await;
    world.open_log(2, 1).await;
    let second = PersistHandle::new(config(2), world.deps(2));
    for first_lsn in [11, 21] {
        let receipt = second.enqueue(job(first_lsn), Demand::Request).await;
        let refused = in_time(receipt).await.expect_err("the prefix is another log's");
        check_owned(&refused);
    }
    assert!(second.is_fenced() && *second.watch_fenced().borrow());
    check_owned(&second.fenced().expect("there is a reason"));
    assert_eq!(world.store.keys().await, before);
    assert_eq!(world.observer.settled.lock().len(), 1, "the segments of log 2 must stay");
    // The owner goes on.
    committed(first.enqueue(job(11), Demand::Request).await).await;
    assert!(first.fenced().is_none());
    world.check_files().await;
}

/// Checks that `error` stops the process and names log 1 as the owner and log 2 as who asked.
fn check_owned(error: &Error) {
    assert_eq!(error.kind(), types::ErrorKind::Fenced);
    let text = error.to_string();
    for number in [1, 2] {
        assert!(text.contains(&log(number).to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_prefix_is_claimed_as_soon_as_its_store_answers() {
    let world = world(47, &[]).await;
    world.open_log(1, 1).await;
    let handle = PersistHandle::new(config(2), world.deps(1));
    world.store.set_down(true);
    let receipts =
        [handle.enqueue(job(1), Demand::Age).await, handle.enqueue(job(11), Demand::Age).await];
    until(|| handle.state().retrying_store > 0 && world.store.refused_while_down() > 10).await;
    world.store.set_down(false);
    for receipt in receipts {
        committed(receipt).await;
    }
    let owner = owner_of(&*world.store).await.expect("the store answers");
    assert_eq!(owner.map(|owner| owner.log), Some(log(1)));
    assert_eq!(handle.state().upload_failures, 0, "nothing was sent before");
    world.check_files().await;
}
