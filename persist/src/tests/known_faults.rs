//! Faults of other systems' persist workers that no other test here has by itself.

use super::*;
use crate::{Demand, Error};

/// Commits carried no epoch, so that a process which had slept made them after another had taken
/// over its log.
#[tokio::test]
async fn iox_w10_a_job_that_wakes_up_late_commits_nothing() {
    let world = world(60, &[]).await;
    let handle = world.handle(&config(1)).await;
    world.store.shut_gate();
    let late = handle.enqueue(job(1), Demand::Request).await;
    in_time(world.store.wait_for_puts(1)).await;
    world.open_log(1, 2).await;
    let before = world.catalog.snapshot().version();
    world.store.open_gate();
    assert!(matches!(in_time(late).await, Err(Error::Fenced)));
    assert_eq!(world.catalog.snapshot().version(), before);
    assert!(world.observer.settled.lock().is_empty(), "its segments must stay");
    in_time(handle.shutdown()).await;
}

/// Commits were tried again without an end, and a shutdown waited for them.
#[tokio::test]
async fn iox_w10_a_job_that_no_catalog_answers_does_not_hold_up_the_end() {
    let world = world(61, &[]).await;
    let config = Config { attempt_timeout: Duration::from_millis(20), ..config(1) };
    let handle = world.handle(&config).await;
    world.catalog.hang();
    let receipt = handle.enqueue(job(1), Demand::Request).await;
    until(|| handle.state().retrying_catalog == 1).await;
    handle.abort();
    assert!(matches!(in_time(receipt).await, Err(Error::Closed)));
    in_time(handle.shutdown()).await;
    assert!(world.observer.settled.lock().is_empty(), "its segments must stay");
}

/// Files were ordered by the time of day at which they were written.
#[tokio::test]
async fn b18_no_time_of_day_is_in_the_name_or_the_entry_of_a_file() {
    let mut files = Vec::new();
    for now_ns in [0, i64::MAX, -86_400_000_000_000] {
        let world = world(62, &[]).await;
        world.open_log(1, 1).await;
        let clock = Arc::new(ManualClock::at(now_ns));
        let handle = PersistHandle::new(config(1), Deps { clock, ..world.deps(1) });
        files.push(committed(handle.enqueue(job(1), Demand::Request).await).await);
    }
    assert!(files.iter().all(|file| **file == *files[0]), "{files:?}");
}
