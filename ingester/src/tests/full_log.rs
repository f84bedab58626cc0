//! A log that has reached its size makes room by itself, whatever else happens or does not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use types::effect::{Access, DirLock, Disk, DiskEntry, DiskFile, LockMode};
use types::seam::DmlError;
use types::write::codec::encode_body;
use types::{DatabaseName, PartitionBatch, PartitionKey};
use wal::disk::ModelDisk;

use super::fixture::{database, rows, table};
use super::harness::{Harness, Node};

const EIO: i32 = 5;
const A_MINUTE: Duration = Duration::from_secs(60);

/// A disk on which no file can be removed while it is stuck.
#[derive(Debug)]
struct StuckDisk {
    disk: ModelDisk,
    stuck: AtomicBool,
    /// Removals that failed.
    failed: AtomicUsize,
}

impl StuckDisk {
    fn new() -> Arc<Self> {
        let (stuck, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
        Arc::new(Self { disk: ModelDisk::new(1), stuck, failed })
    }

    fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::SeqCst);
    }

    fn failed(&self) -> usize {
        self.failed.load(Ordering::SeqCst)
    }
}

impl Disk for StuckDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(path, access)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.stuck.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock_dir(&self, dir: &Path, mode: LockMode) -> io::Result<Box<dyn DirLock>> {
        self.disk.lock_dir(dir, mode)
    }
}

async fn persist_all(node: &Node) {
    let db = DatabaseName::new("db").expect("a good name");
    node.ingester.persist().persist_now(&db, None, A_MINUTE).await.expect("all is persisted");
}

/// The segments were free, and nobody looked again.
#[tokio::test(flavor = "multi_thread")]
async fn segments_that_could_not_be_removed_are_removed_later_without_being_asked() {
    let mut harness = Harness::new();
    let disk = StuckDisk::new();
    harness.disk = Arc::clone(&disk) as Arc<dyn Disk>;
    harness.config.wal.segment_size = 64 << 10;
    harness.config.wal.max_size = 256 << 10;
    let node = harness.start().await;
    disk.set_stuck(true);
    let refused = loop {
        if let Err(refused) = node.write(500, 0).await {
            break refused;
        }
    };
    assert!(matches!(refused, DmlError::Busy { .. }), "a full log is a passing state: {refused}");
    persist_all(&node).await;
    // All is settled. Two of these attempts may still be due to that, and to the rotation after it.
    let failed = disk.failed();
    let tried_again = async {
        while disk.failed() < failed + 4 {
            tokio::task::yield_now().await;
        }
    };
    timeout(A_MINUTE, tried_again).await.expect("it tries again and again");
    disk.set_stuck(false);
    let taken = async {
        while node.write(1, 0).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(A_MINUTE, taken).await.expect("the log has room");
    node.abandon().await;
}

/// The bytes of the frame of so many rows.
fn frame_len(harness: &Harness, count: usize) -> u64 {
    let key = PartitionKey::of_day(0);
    let batch = PartitionBatch::new(table("cpu", 1), key, Arc::new(rows(count, 0)));
    let body = wal::Body::encode(encode_body(&database(), &[batch]), &harness.config.wal);
    body.expect("it is small").frame_len()
}

/// It was busy each time, until what was in the log had reached its age.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_more_than_half_of_the_log_is_made_room_for() {
    let mut harness = Harness::new();
    let (small, large) = (frame_len(&harness, 20_000), frame_len(&harness, 40_000));
    let max = large + small / 2;
    assert!(small + 1_000 < max / 2 && small + large > max, "{small} {large}");
    harness.config.wal.segment_size = 16 << 10;
    harness.config.wal.max_size = max;
    let node = harness.start().await;
    node.write(20_000, 0).await.expect("there is room");
    let taken = async {
        loop {
            match node.write(40_000, 0).await {
                Ok(_) => break,
                Err(DmlError::Busy { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("an empty log has room for it: {error}"),
            }
        }
    };
    timeout(A_MINUTE, taken).await.expect("the log makes room");
    persist_all(&node).await;
    node.abandon().await;
}
