//! A store or a catalog that fails: no job is lost, none counts twice, nothing half is believed.

use std::sync::atomic::{AtomicUsize, Ordering};

use types::ErrorKind;

use super::*;
use crate::format::encoder::{Draft, EncodedFile};
use crate::store::PutFault;
use crate::{Demand, Error};

/// Persists two jobs, the first of which meets these faults; both must end whole.
async fn check(faults: &[PutFault]) {
    let world = world(10, &[]).await;
    let config = Config {
        // Only a put that hangs comes near to it; it must not be long, for the test's sake.
        attempt_timeout: Duration::from_millis(300),
        ..config(1)
    };
    let handle = world.handle(&config).await;
    world.store.plan(faults.iter().copied());
    let first = handle.enqueue(job(1), Demand::Request).await;
    let second = handle.enqueue(job(11), Demand::Request).await;
    committed(first).await;
    committed(second).await;
    world.check_ranges(&[1, 11]);
    world.check_files().await;
    let state = handle.state();
    assert!(state.upload_failures >= faults.len() as u64, "{faults:?}: {state:?}");
    assert_eq!((state.files, state.retrying_store, state.job_failures), (2, 0, 0), "{faults:?}");
    assert_eq!(world.observer.settled.lock().len(), 2, "{faults:?}");
}

#[tokio::test]
async fn b13_a_put_that_fails_in_any_way_is_made_again_under_another_name() {
    check(&[PutFault::Refused]).await;
    check(&[PutFault::LostRequest]).await;
    check(&[PutFault::LostReply]).await;
    check(&[PutFault::Truncated]).await;
    check(&[PutFault::Extended]).await;
    check(&[PutFault::Damaged]).await;
    check(&[PutFault::Hangs]).await;
}

#[tokio::test]
async fn puts_that_fail_again_and_again_are_made_until_one_succeeds() {
    let kinds = [PutFault::Refused, PutFault::Truncated, PutFault::LostReply];
    check(&kinds.repeat(5)).await;
}

/// The second attempt to own the prefix found what the first had put, and files were uploaded.
#[tokio::test]
async fn b14_a_store_on_which_two_could_own_the_prefix_gets_no_file() {
    let world = world(18, &[]).await;
    world.open_log(1, 1).await;
    let handle = PersistHandle::new(config(2), world.deps(1));
    world.store.plan([PutFault::ConditionIgnored; 100]);
    let receipt = handle.enqueue(job(1), Demand::Request).await;
    let refused = in_time(receipt).await.expect_err("nothing may be uploaded");
    assert!(matches!(refused, Error::ConditionIgnored { .. }), "{refused}");
    assert_eq!(refused.kind(), ErrorKind::Fenced);
    assert!(handle.is_fenced());
    let reason = handle.fenced().expect("the process has to stop");
    assert!(matches!(reason, Error::ConditionIgnored { .. }), "{reason}");
    let next = in_time(handle.enqueue(job(11), Demand::Request).await).await;
    assert!(matches!(next, Err(Error::ConditionIgnored { .. })), "{next:?}");
    assert!(world.store.keys().await.is_empty(), "neither a file nor an owner");
}

/// As of a full disk: it is waited for, and what is set aside would not fit either.
#[tokio::test]
async fn a_store_that_refuses_for_long_has_nothing_set_aside() {
    let world = world(16, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.store.plan([PutFault::Refused; 12]);
    let file = committed(handle.enqueue(job(1), Demand::Request).await).await;
    assert_eq!(file.kind, catalog::FileKind::Parquet);
    let state = handle.state();
    assert_eq!((state.upload_failures, state.job_failures, state.set_aside), (12, 0, 0));
}

#[tokio::test]
async fn a_byte_that_is_wrong_in_the_middle_of_a_large_file_is_found() {
    let world = world(15, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.store.plan([PutFault::Damaged]);
    let noise = SeededRandomness::new(15);
    let row = |time| Row {
        tags: vec![("host", "h".to_owned()), ("region", "r".to_owned())],
        time,
        // What no encoding makes smaller.
        x: Some(noise.next_u64().cast_signed()),
        y: Some(noise.next_u64() as f64),
    };
    let rows: Vec<Row> = (0..100_000).map(row).collect();
    let file = committed(handle.enqueue(job_from(1, &[&rows]), Demand::Request).await).await;
    assert!(file.bytes > 1 << 20, "{} bytes", file.bytes);
    assert_eq!(handle.state().upload_failures, 1);
    world.check_files().await;
}

/// Counts encodings.
#[derive(Debug)]
struct Counting {
    real: FileEncoder,
    encodings: AtomicUsize,
}

impl Encoder for Counting {
    fn encode(&self, draft: &Draft) -> Result<EncodedFile, Error> {
        self.encodings.fetch_add(1, Ordering::SeqCst);
        self.real.encode(draft)
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_waited_for_and_costs_no_core() {
    let world = world(11, &[]).await;
    let mut encoder = None;
    let handle = world
        .handle_with(&config(1), |real| {
            let encodings = AtomicUsize::new(0);
            let counting = Arc::new(Counting { real, encodings });
            encoder = Some(Arc::clone(&counting));
            counting
        })
        .await;
    let encoder = encoder.expect("is made");
    world.store.set_down(true);
    let receipt = handle.enqueue(job(1), Demand::MemoryPressure).await;
    until(|| handle.state().retrying_store == 1).await;
    assert_eq!((handle.outstanding(), handle.state().running), (1, 1), "it is not lost");
    until(|| world.store.refused_while_down() > 30).await;
    assert_eq!(encoder.encodings.load(Ordering::SeqCst), 1);
    world.store.set_down(false);
    committed(receipt).await;
    assert_eq!(encoder.encodings.load(Ordering::SeqCst), 2);
    assert_eq!(handle.state().retrying_store, 0);
    world.check_files().await;
}

#[tokio::test]
async fn z9_a_commit_whose_reply_is_lost_is_one_commit() {
    let world = world(12, &[]).await;
    let handle = world.handle(&config(1)).await;
    let before = world.catalog.snapshot().version();
    world.catalog.lose_replies(3);
    let file = committed(handle.enqueue(job(1), Demand::Request).await).await;
    assert_eq!(world.catalog.snapshot().version(), before.next());
    assert_eq!(*file, *world.partition().files[0]);
    assert_eq!((handle.state().files, handle.state().job_failures), (1, 0));
    world.check_files().await;
}

#[tokio::test]
async fn a_catalog_that_takes_nothing_is_asked_again() {
    let world = world(13, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.catalog.refuse_next(20);
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    assert_eq!((handle.state().upload_failures, handle.state().job_failures), (0, 0));
    world.check_files().await;
}

#[tokio::test]
async fn a_catalog_that_hangs_is_shown_long_before_it_is_given_up() {
    let world = world(17, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.catalog.hang();
    let receipt = handle.enqueue(job(1), Demand::Request).await;
    // The call itself is given up after five minutes, for which nothing here would wait.
    until(|| handle.state().retrying_catalog == 1).await;
    world.catalog.release();
    committed(receipt).await;
    assert_eq!((handle.state().retrying_catalog, handle.state().job_failures), (0, 0));
    world.check_ranges(&[1]);
    world.check_files().await;
}

#[tokio::test]
async fn a_catalog_that_hangs_is_asked_again_and_commits_once() {
    let world = world(14, &[]).await;
    let config = Config { attempt_timeout: Duration::from_millis(20), ..config(1) };
    let handle = world.handle(&config).await;
    world.catalog.hang();
    let receipt = handle.enqueue(job(1), Demand::Request).await;
    until(|| handle.state().retrying_catalog == 1).await;
    world.catalog.release();
    committed(receipt).await;
    assert_eq!(handle.state().retrying_catalog, 0);
    world.check_ranges(&[1]);
    world.check_files().await;
}
