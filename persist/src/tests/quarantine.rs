//! Jobs that fail for a reason of their own: set aside whole, visible, and out of nobody's way.

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::ipc::reader::FileReader;
use catalog::FileKind;

use super::*;
use crate::Demand;
use crate::format::arrow_ipc;
use crate::format::encoder::{Draft, EncodedFile};

/// Panics at the first so many Parquet files.
#[derive(Debug)]
struct Panicking {
    real: FileEncoder,
    panics_left: AtomicUsize,
}

impl Encoder for Panicking {
    fn encode(&self, draft: &Draft) -> Result<EncodedFile, crate::Error> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = &self.panics_left;
        let update = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        assert!(
            draft.kind == FileKind::Quarantine || update.is_err(),
            "this encoder panics on purpose"
        );
        self.real.encode(draft)
    }
}

async fn panicking(world: &World, panics: usize) -> PersistHandle {
    let around = |real| {
        let panics_left = AtomicUsize::new(panics);
        Arc::new(Panicking { real, panics_left })
    };
    world.handle_with(&config(1), around).await
}

#[tokio::test]
async fn a_job_that_panics_is_tried_again() {
    let world = world(20, &[]).await;
    let handle = panicking(&world, 2).await;
    let file = committed(handle.enqueue(job(1), Demand::Request).await).await;
    assert_eq!(file.kind, FileKind::Parquet);
    assert_eq!((handle.state().job_failures, handle.state().set_aside), (2, 0));
    world.check_files().await;
}

#[tokio::test]
async fn b19_z20_a_job_that_panics_again_and_again_is_set_aside_whole() {
    let world = world(21, &["t1"]).await;
    let handle = panicking(&world, 3).await;
    let chunks = [rows(5, &[("t1", "value")]), rows(8, &[])];
    let job = job_from(1, &[&chunks[0], &chunks[1]]);
    let file = committed(handle.enqueue(job.clone(), Demand::Request).await).await;
    assert_eq!((handle.state().job_failures, handle.state().set_aside), (3, 1));
    assert_eq!((file.kind, file.lsns, file.rows), (FileKind::Quarantine, job.lsns(), 13));
    assert_eq!((file.time_min, file.time_max), (993, 1_000));
    assert!(file.path.starts_with("quarantine/metrics/cpu/1970-01-01/"), "{}", file.path);
    assert_eq!(*world.partition().files[0], *file);
    assert_eq!(world.observer.settled.lock().len(), 1, "the log may let go of it");

    let bytes = world.bytes_of(&file).await;
    let reader = FileReader::try_new(Cursor::new(bytes), None).expect("an arrow file");
    let provenance = arrow_ipc::provenance_of(&reader.schema()).expect("ours");
    assert_eq!((provenance.lsns, provenance.sort_key), (job.lsns(), None));
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("is read")).collect();
    assert_eq!(batches.len(), 2, "one a chunk");
    for (batch, rows) in batches.iter().zip(&chunks) {
        let hosts = batch["host"].as_string::<i32>();
        let expected: Vec<String> = (0..rows.len()).map(|host| format!("h{host}")).collect();
        let hosts: Vec<&str> = hosts.iter().flatten().collect();
        assert_eq!(hosts, expected, "in the order in which they were written");
    }
    assert_eq!(batches[1]["t1"].null_count(), 8);
}

#[tokio::test]
async fn what_was_set_aside_leaves_the_sort_key_to_others() {
    let world = world(22, &[]).await;
    let handle = panicking(&world, 3).await;
    committed(handle.enqueue(job(1), Demand::Request).await).await;
    assert_eq!(world.partition().sort_key, SortKey::default());
    let next = committed(handle.enqueue(job(11), Demand::Request).await).await;
    assert_eq!(next.kind, FileKind::Parquet);
    assert_eq!(world.partition().sort_key.to_string(), "region, host, time");
    world.check_ranges(&[1, 11]);
}

#[tokio::test]
async fn a_job_of_a_table_that_the_catalog_does_not_know_is_kept() {
    let world = world(23, &[]).await;
    let handle = world.handle(&config(1)).await;
    let mut job = job(1);
    Arc::make_mut(&mut job.table).id = types::TableId::new(99);
    let receipt = handle.enqueue(job, Demand::Request).await;
    // Neither as Parquet nor set aside: it stays, and somebody is told.
    until(|| handle.state().job_failures > 10).await;
    assert_eq!((handle.outstanding(), world.observer.settled.lock().len()), (1, 0));
    handle.abort();
    assert!(matches!(in_time(receipt).await, Err(crate::Error::Closed)));
}

#[tokio::test]
async fn a_job_that_can_be_neither_committed_nor_set_aside_holds_up_no_other() {
    let world = world(24, &[]).await;
    let handle = world.handle(&config(1)).await;
    let mut stuck = job(1);
    Arc::make_mut(&mut stuck.table).id = types::TableId::new(99);
    let receipt = handle.enqueue(stuck, Demand::Request).await;
    until(|| handle.state().job_failures > 4).await;
    for first in [11, 21] {
        committed(handle.enqueue(job(first), Demand::Request).await).await;
    }
    let failures = handle.state().job_failures;
    until(|| handle.state().job_failures > failures).await;
    assert_eq!(handle.outstanding(), 1, "it keeps its permit and is tried again");
    world.check_ranges(&[11, 21]);
    handle.abort();
    assert!(matches!(in_time(receipt).await, Err(crate::Error::Closed)));
}
