//! Jobs that are larger than the usual: encoded beside each other only as far as memory is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::yield_now;

use types::MemoryOwner;

use super::*;
use crate::Demand;
use crate::format::encoder::{Draft, EncodedFile};

/// Ends no encoding while it is shut.
#[derive(Debug)]
struct Gated {
    real: FileEncoder,
    shut: AtomicBool,
}

impl Encoder for Gated {
    fn encode(&self, draft: &Draft) -> Result<EncodedFile, crate::Error> {
        while self.shut.load(Ordering::SeqCst) {
            yield_now();
        }
        self.real.encode(draft)
    }
}

/// Has three workers encode three jobs at once; returns what they hold meanwhile, in jobs.
async fn held_by_three(usual_jobs: u64) -> u64 {
    let world = world(60, &[]).await;
    let job_bytes = job(1).size_bytes();
    let usual_job_bytes = usual_jobs * job_bytes;
    let config = Config { usual_job_bytes, large_jobs_bytes: 1, ..config(3) };
    let mut encoder = None;
    let around = |real| {
        let gated = Arc::new(Gated { real, shut: AtomicBool::new(false) });
        encoder = Some(Arc::clone(&gated));
        gated
    };
    let handle = world.handle_with(&config, around).await;
    let encoder = encoder.expect("is made");
    // It gives the partition its key, so any worker takes the others.
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    encoder.shut.store(true, Ordering::SeqCst);
    let mut receipts = Vec::new();
    for first in [11, 21, 31] {
        receipts.push(handle.enqueue(job(first), Demand::Request).await);
    }
    let held = || world.memory.used_by(MemoryOwner::Persist);
    until(|| handle.state().running == 3 && held() > 0).await;
    let held = held();
    encoder.shut.store(false, Ordering::SeqCst);
    for receipt in receipts {
        committed(receipt).await;
    }
    world.check_ranges(&[1, 11, 21, 31]);
    world.check_files().await;
    held / job_bytes
}

/// Each of the workers held a large request and its sorted copy, beside a buffer full of them.
#[tokio::test]
async fn jobs_over_the_usual_size_are_encoded_one_by_one() {
    assert_eq!(held_by_three(0).await, 2, "the rows of one, and once more sorted");
    assert_eq!(held_by_three(1).await, 6, "the usual size waits for nobody");
}
