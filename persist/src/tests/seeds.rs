//! Whatever fails in whatever order, each batch is in exactly one file, and each file is sorted.

use super::*;
use crate::Demand;
use crate::store::PutFault;

const FAULTS: [PutFault; 5] = [
    PutFault::Refused,
    PutFault::LostRequest,
    PutFault::LostReply,
    PutFault::Truncated,
    PutFault::Damaged,
];
const TAGS: [&str; 4] = ["t0", "t1", "t2", "t3"];

async fn check(seed: u64) {
    let world = world(seed, &TAGS).await;
    let random = SeededRandomness::new(!seed);
    let below = |limit: usize| usize::try_from(random.next_u64() % limit as u64).expect("small");
    let handle = world.handle(&config(1 + below(4))).await;
    let mut receipts = Vec::new();
    let first_lsns: Vec<u64> = (0..12).map(|at| 10 * at + 1).collect();
    for first in &first_lsns {
        world.store.plan((0..below(3)).map(|_| FAULTS[below(FAULTS.len())]));
        match below(4) {
            0 => world.catalog.lose_replies(below(3)),
            1 => world.catalog.refuse_next(below(3)),
            _ => {}
        }
        let job = match below(3) {
            0 => job(*first),
            _ => job_with_tag(*first, TAGS[below(TAGS.len())]),
        };
        let demand = Demand::ALL[below(Demand::ALL.len())];
        receipts.push(in_time(handle.enqueue(job, demand)).await);
    }
    for receipt in receipts {
        committed(receipt).await;
    }
    world.check_ranges(&first_lsns);
    world.check_files().await;
    assert_eq!(world.observer.settled.lock().len(), first_lsns.len());
    assert_eq!(handle.state().job_failures, 0);
}

async fn check_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        println!("seed {seed}");
        check(seed).await;
    }
}

#[tokio::test]
async fn any_faults_end_with_each_batch_in_one_sorted_file() {
    check_all(0..40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_faults_end_so_on_several_threads_too() {
    check_all(100..120).await;
}
