//! Permits, saturation, observers, the end.

use std::sync::OnceLock;

use super::*;
use crate::{Demand, Error};

fn depth(queue_depth: usize) -> Config {
    Config { queue_depth: NonZeroUsize::new(queue_depth).expect("not zero"), ..config(1) }
}

/// Enqueues jobs, of a partition whose key is known, until there is no permit.
fn fill(handle: &PersistHandle, first: u64, demand: Demand) -> Vec<Receipt> {
    let jobs = (0..).map(|at| job(first + 10 * at));
    jobs.map_while(|job| handle.try_enqueue(job, demand).ok()).collect()
}

#[tokio::test]
async fn housekeeping_takes_half_of_the_permits_and_refuses_no_write() {
    let world = world(30, &[]).await;
    let handle = world.handle(&depth(10)).await;
    world.store.shut_gate();
    let mut receipts = fill(&handle, 1, Demand::Rotation);
    assert_eq!((receipts.len(), handle.outstanding()), (5, 5));
    assert!(handle.try_enqueue(job(1_001), Demand::Age).is_err());
    assert!(!handle.is_saturated());
    receipts.extend(fill(&handle, 101, Demand::HotPartition));
    assert_eq!((receipts.len(), handle.outstanding()), (10, 10));
    assert!(handle.is_saturated(), "only now");
    world.store.open_gate();
    for receipt in receipts {
        committed(receipt).await;
    }
    world.check_files().await;
}

#[tokio::test]
async fn saturation_is_left_when_half_is_free_and_no_job_waits() {
    let world = world(31, &[]).await;
    let handle = world.handle(&depth(4)).await;
    world.store.shut_gate();
    let mut receipts: Vec<Receipt> = Vec::new();
    for first in [1, 11, 21, 31] {
        receipts.push(handle.enqueue(job(first), Demand::MemoryPressure).await);
    }
    assert!(!handle.is_saturated(), "each found a permit");
    let fifth = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.enqueue(job(41), Demand::HotPartition).await.await })
    };
    in_time(handle.watch_saturation().wait_for(|saturated| *saturated)).await.expect("lives");
    for (at, receipt) in receipts.into_iter().enumerate() {
        assert!(handle.is_saturated(), "before job {at} has ended");
        in_time(world.store.wait_for_puts(1)).await;
        world.store.let_through(&world.store.puts_waiting()[0]);
        committed(receipt).await;
        if at == 2 {
            break;
        }
    }
    // The fifth has a permit since the first ended: three ended, two of four are free.
    let mut saturation = handle.watch_saturation();
    in_time(saturation.wait_for(|saturated| !saturated)).await.expect("lives");
    world.store.open_gate();
    let fifth = in_time(fifth).await.expect("does not panic");
    assert!(matches!(fifth, Ok(Outcome::Committed { .. })), "{fifth:?}");
    world.check_ranges(&[1, 11, 21, 31, 41]);
}

/// Looks, when it is told of a job, how many permits are out.
#[derive(Debug, Default)]
struct Looking {
    handle: OnceLock<PersistHandle>,
    seen: Mutex<Vec<(u64, usize)>>,
}

impl PersistObserver for Looking {
    fn settled(&self, settled: &Settled) {
        let handle = self.handle.get().expect("is set");
        let seen = (settled.lsns.first().get(), handle.outstanding());
        self.seen.lock().push(seen);
    }
}

#[tokio::test]
async fn observers_are_told_once_a_job_and_before_its_permit_comes_back() {
    let world = world(32, &[]).await;
    world.open_log(1, 1).await;
    let (looking, recorder) = (Arc::new(Looking::default()), Arc::new(Recorder::default()));
    let chain: Vec<Arc<dyn PersistObserver>> =
        vec![Arc::clone(&looking) as _, Arc::clone(&recorder) as _];
    let deps = Deps { observer: Arc::new(chain), ..world.deps(1) };
    let handle = PersistHandle::new(depth(1), deps);
    looking.handle.set(handle.clone()).expect("is set once");
    for first in [1, 11, 21] {
        // Waits for the permit of the job before.
        let receipt = in_time(handle.enqueue(job(first), Demand::Request)).await;
        committed(receipt).await;
    }
    assert_eq!(*looking.seen.lock(), [(1, 1), (11, 1), (21, 1)]);
    assert_eq!(recorder.settled.lock().len(), 3);
    until(|| handle.outstanding() == 0).await;
}

#[tokio::test]
async fn an_observer_that_panics_takes_no_worker_along() {
    #[derive(Debug)]
    struct Panics;
    impl PersistObserver for Panics {
        fn settled(&self, _: &Settled) {
            panic!("this observer panics on purpose");
        }
    }
    let world = world(33, &[]).await;
    world.open_log(1, 1).await;
    let deps = Deps { observer: Arc::new(Panics), ..world.deps(1) };
    let handle = PersistHandle::new(depth(1), deps);
    for first in [1, 11] {
        committed(in_time(handle.enqueue(job(first), Demand::Request)).await).await;
    }
    world.check_ranges(&[1, 11]);
}

#[tokio::test]
async fn the_largest_job_passes_through_and_gives_its_memory_back() {
    let world = world(34, &[]).await;
    let config =
        Config { row_group_rows: NonZeroUsize::new(10_000).expect("not zero"), ..depth(1) };
    let handle = world.handle(&config).await;
    let row = |at: i64| Row {
        tags: vec![("host", format!("h{}", at % 1_000)), ("region", format!("r{}", at % 7))],
        time: at / 1_000,
        x: Some(at),
        y: Some(at as f64 / 3.0),
    };
    let rows: Vec<Row> = (0..60_000).map(row).collect();
    let (first, second) = rows.split_at(40_000);
    let job = job_from(1, &[first, second]);
    assert!(job.size_bytes() > world.memory.limit(), "it is over the budget by itself");
    let file = committed(handle.enqueue(job, Demand::HotPartition).await).await;
    assert_eq!(file.rows, 60_000);
    until(|| world.memory.used() == 0).await;
    world.check_files().await;
}

#[tokio::test]
async fn a_shutdown_ends_what_is_queued_and_takes_nothing_more() {
    let world = world(35, &[]).await;
    let handle = world.handle(&depth(3)).await;
    let receipts = fill(&handle, 1, Demand::Shutdown);
    assert_eq!(receipts.len(), 3);
    let waiting = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.enqueue(job(101), Demand::Request).await.await })
    };
    in_time(handle.shutdown()).await;
    for receipt in receipts {
        committed(receipt).await;
    }
    world.check_files().await;
    // It got the first permit that came back, or found the door shut; it was not forgotten.
    let late = in_time(waiting).await.expect("does not panic");
    match late {
        Ok(Outcome::Committed { file, .. }) => assert_eq!(file.lsns.first(), Lsn::new(101)),
        other => assert!(matches!(other, Err(Error::Closed)), "{other:?}"),
    }
    let after = in_time(handle.enqueue(job(201), Demand::Request)).await;
    assert!(matches!(in_time(after).await, Err(Error::Closed)));
    let returned = handle.try_enqueue(job(201), Demand::Request).expect_err("takes nothing");
    assert_eq!(returned.lsns(), job(201).lsns());
    in_time(handle.shutdown()).await;
}

#[tokio::test]
async fn an_abort_stops_jobs_where_they_are() {
    let world = world(36, &[]).await;
    let handle = world.handle(&depth(3)).await;
    world.store.set_down(true);
    let receipts = fill(&handle, 1, Demand::Shutdown);
    until(|| handle.state().retrying_store == 1).await;
    handle.abort();
    for receipt in receipts {
        assert!(matches!(in_time(receipt).await, Err(Error::Closed)));
    }
    in_time(handle.shutdown()).await;
    assert!(world.observer.settled.lock().is_empty(), "nothing was settled");
    assert_eq!(handle.state().retrying_store, 0);
}
