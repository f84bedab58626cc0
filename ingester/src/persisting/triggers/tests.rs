//! A rotation that does not come about is told where somebody has to look, and only there.

use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Event, Level, Metadata, Subscriber};
use types::Epoch;
use types::effect::{InPlace, ManualClock, SeededRandomness, SystemThreads};
use wal::disk::ModelDisk;
use wal::{CommitObserver, Group, LogHandle, Recovery, SealedSegment, Vouched};

use super::*;

/// Counts what a person would have to look at.
#[derive(Clone, Debug, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Forgets what it is to run, as a pool that is gone.
#[derive(Debug)]
struct Gone;

impl Pool for Gone {
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        drop(work);
    }
}

/// Wants to hear of nothing.
#[derive(Debug)]
struct Nobody;

impl CommitObserver<PendingWrite> for Nobody {
    fn committed(&mut self, _: Group<PendingWrite>) {}

    fn refused(&mut self, _: PendingWrite, _: &wal::Error) {}

    fn sealed(&mut self, _: &SealedSegment) {}
}

fn closed_log() -> LogHandle<PendingWrite> {
    let deps = wal::Deps {
        disk: Arc::new(ModelDisk::new(1)),
        clock: Arc::new(ManualClock::default()),
        randomness: Arc::new(SeededRandomness::new(1)),
        threads: Arc::new(SystemThreads),
        fatal: Arc::new(wal::ExitProcess),
    };
    let config = wal::Config { segment_size: 1 << 20, ..wal::Config::default() };
    let vouched = Vouched { log: None, epoch: Epoch::ZERO, lsn: Lsn::ZERO };
    let recovery = Recovery::open("/data/wal", config, deps, vouched).expect("an empty log");
    let log = recovery.start(Epoch::new(1), Nobody).expect("starts");
    log.close().expect("closes");
    log
}

/// How often a rotation of a closed log has somebody look.
async fn warnings_of_rotating_on(pool: Arc<dyn Pool>) -> usize {
    let rotator = Rotator { log: closed_log(), pool };
    let warnings = Warnings::default();
    let logging = set_default(warnings.clone());
    rotator.rotate().await;
    drop(logging);
    warnings.0.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_log_that_is_closed_while_it_is_to_be_rotated_warns_nobody() {
    assert_eq!(warnings_of_rotating_on(Arc::new(InPlace)).await, 0);
    assert_eq!(warnings_of_rotating_on(Arc::new(Gone)).await, 1, "other ends are told");
}
