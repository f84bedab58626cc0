//! What runs in parallel, what one after another, and in whatever order jobs end.

use super::*;
use crate::Demand;

#[tokio::test]
async fn jobs_of_one_partition_that_keep_its_key_run_in_parallel() {
    const WORKERS: usize = 4;
    let world = world(1, &[]).await;
    let handle = world.handle(&config(WORKERS)).await;
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    world.store.shut_gate();
    let mut receipts = Vec::new();
    for at in 1..=WORKERS as u64 {
        receipts.push(handle.enqueue(job(10 * at + 1), Demand::Request).await);
    }
    // All of them are in flight at once, or this waits for ever.
    in_time(world.store.wait_for_puts(WORKERS as u32)).await;
    assert_eq!(handle.state().running, WORKERS as u64);
    world.store.open_gate();
    for receipt in receipts {
        committed(receipt).await;
    }
    world.check_ranges(&[1, 11, 21, 31, 41]);
    world.check_files().await;
}

#[tokio::test]
async fn jobs_that_change_the_key_run_one_after_another() {
    let world = world(2, &["t1", "t2", "t3"]).await;
    let handle = world.handle(&config(4)).await;
    world.store.shut_gate();
    let mut receipts = Vec::new();
    for (first, name) in [(1, "t1"), (11, "t2"), (21, "t3")] {
        let job = job_with_tag(first, name);
        receipts.push(handle.enqueue(job, Demand::Request).await);
    }
    for receipt in receipts {
        in_time(world.store.wait_for_puts(1)).await;
        let waiting = world.store.puts_waiting();
        assert_eq!(waiting.len(), 1, "one at a time");
        assert_eq!((handle.state().running, handle.state().sort_key_conflicts), (1, 0));
        world.store.let_through(&waiting[0]);
        committed(receipt).await;
    }
    world.store.open_gate();
    assert_eq!(world.partition().sort_key.to_string(), "t1, region, host, t2, t3, time");
    world.check_files().await;
}

#[tokio::test]
async fn a_job_that_changes_the_key_holds_up_no_other_worker() {
    let world = world(3, &["t1"]).await;
    let handle = world.handle(&config(2)).await;
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    world.store.shut_gate();
    let changing = handle.enqueue(job_with_tag(11, "t1"), Demand::Request).await;
    let keeping = handle.enqueue(job(21), Demand::Request).await;
    in_time(world.store.wait_for_puts(2)).await;
    world.store.open_gate();
    committed(changing).await;
    committed(keeping).await;
    world.check_files().await;
}

#[tokio::test]
async fn jobs_that_end_in_reverse_order_commit_their_exact_ranges() {
    let world = world(4, &[]).await;
    let handle = world.handle(&config(3)).await;
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    world.store.shut_gate();
    let mut receipts = Vec::new();
    for first in [11, 31, 21] {
        receipts.push((first, handle.enqueue(job(first), Demand::Request).await));
    }
    in_time(world.store.wait_for_puts(3)).await;
    let mut versions = Vec::new();
    receipts.sort_by_key(|(first, _)| std::cmp::Reverse(*first));
    for (first, receipt) in receipts {
        let of_job = format!("/{:020}-{first:020}-", 0);
        let waiting = world.store.puts_waiting();
        let put = waiting.iter().find(|path| path.as_ref().contains(&of_job));
        world.store.let_through(put.expect("waits"));
        let file = committed(receipt).await;
        assert_eq!((file.lsns.first(), file.lsns.last()), (Lsn::new(first), Lsn::new(first + 9)));
        versions.push(file.added_at);
    }
    assert!(versions.is_sorted(), "the newest rows were committed first");
    world.check_ranges(&[1, 11, 21, 31]);
    let told: Vec<u64> =
        world.observer.settled.lock().iter().map(|settled| settled.lsns.first().get()).collect();
    assert_eq!(told, [1, 31, 21, 11], "each once, in the order in which they ended");
}

/// Two logs persist into one new partition at once; in one of them `host` has fewer values than
/// `region`, in the other more. Both must end under one key.
#[tokio::test]
async fn two_logs_that_change_one_key_at_once_end_in_one_key() {
    let world = world(5, &[]).await;
    let handles = world.two_handles(&config(2)).await;
    let row = |host: i64, region: i64| Row {
        tags: vec![("host", format!("h{host}")), ("region", format!("r{region}"))],
        time: 7 * host + region,
        x: Some(host),
        y: None,
    };
    let many_hosts: Vec<Row> = (0..40).map(|at| row(at, at % 3)).collect();
    let many_regions: Vec<Row> = (0..40).map(|at| row(at % 3, at)).collect();
    world.store.shut_gate();
    let first = handles[0].enqueue(job_from(1, &[&many_hosts]), Demand::Age).await;
    let second = handles[1].enqueue(job_from(1, &[&many_regions]), Demand::Age).await;
    in_time(world.store.wait_for_puts(2)).await;
    world.store.open_gate();
    let files = [committed(first).await, committed(second).await];
    assert_ne!(files[0].log, files[1].log);
    let conflicts = handles.each_ref().map(|handle| handle.state().sort_key_conflicts);
    assert_eq!(conflicts.iter().sum::<u64>(), 1, "one of them sorted again");
    assert_eq!(world.partition().files.len(), 2);
    world.check_files().await;
}

#[tokio::test]
async fn two_logs_that_extend_one_key_at_once_end_in_one_key() {
    let world = world(6, &["t1", "t2"]).await;
    let handles = world.two_handles(&config(2)).await;
    committed(handles[0].enqueue(job(1), Demand::Age).await).await;
    world.store.shut_gate();
    let first = handles[0].enqueue(job_with_tag(11, "t1"), Demand::Age).await;
    let second = handles[1].enqueue(job_with_tag(1, "t2"), Demand::Age).await;
    in_time(world.store.wait_for_puts(2)).await;
    world.store.open_gate();
    committed(first).await;
    committed(second).await;
    let key = world.partition().sort_key.clone();
    assert_eq!(key.tags().len(), 4, "{key}");
    assert_eq!(key.tags()[..2], [tag("region"), tag("host")]);
    world.check_files().await;
}

#[tokio::test]
async fn equal_changes_by_two_logs_are_no_conflict() {
    let world = world(7, &[]).await;
    let handles = world.two_handles(&config(1)).await;
    world.store.shut_gate();
    let first = handles[0].enqueue(job(1), Demand::Age).await;
    let second = handles[1].enqueue(job(1), Demand::Age).await;
    in_time(world.store.wait_for_puts(2)).await;
    world.store.open_gate();
    committed(first).await;
    committed(second).await;
    assert!(handles.iter().all(|handle| handle.state().sort_key_conflicts == 0));
    world.check_files().await;
}
