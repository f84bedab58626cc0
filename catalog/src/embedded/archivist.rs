//! Takes snapshots behind the worker's back, and drops what they make needless.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::Duration;

use types::effect::{Progress, Thread, Worker, receive};
use types::{Lsn, SegmentSeq};
use wal::disk::{Response, respond};
use wal::{LogHandle, SegmentSummary};

use crate::embedded::thread;
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::snapshot_dir::SnapshotDir;
use crate::stored::StoredSnapshot;

/// The worker's end: counts what the log has grown by, and hands roots over.
#[derive(Debug)]
pub(super) struct Archive {
    archivist: Arc<Archivist>,
    after_bytes: u64,
    grown_bytes: u64,
    roots: SyncSender<Arc<Snapshot>>,
    /// Told when the thread has come to its end, and disconnected if it panicked.
    ended: Receiver<()>,
    thread: Box<dyn Thread>,
}

impl Archive {
    /// Starts the archivist's thread. `grown_bytes` are in the log already.
    pub(super) fn start(
        archivist: Archivist,
        after_bytes: u64,
        grown_bytes: u64,
    ) -> Result<Self, Error> {
        let archivist = Arc::new(archivist);
        // One root may wait while another is written: what comes meanwhile is in a later one.
        let (roots, queue) = mpsc::sync_channel(1);
        let (end, ended) = mpsc::sync_channel(1);
        let archiving =
            Archiving { archivist: Arc::clone(&archivist), roots: queue, arrived: None, end };
        let wal::Deps { threads, fatal, .. } = &archivist.deps;
        let thread = thread::start(threads.as_ref(), "catalog-snapshot", fatal, archiving)?;
        Ok(Self { archivist, after_bytes, grown_bytes, roots, ended, thread })
    }

    /// Counts `bytes`, and hands `root` over when the log has grown by enough: by the configured
    /// size and by the length of a snapshot, so that writing snapshots at most doubles the bytes.
    pub(super) fn grown(&mut self, bytes: u64, root: &Arc<Snapshot>) {
        self.grown_bytes += bytes;
        let is_due = self.grown_bytes >= self.after_bytes.max(self.archivist.snapshot_len());
        if is_due && self.roots.try_send(Arc::clone(root)).is_ok() {
            self.grown_bytes = 0;
        }
    }

    /// Waits for the snapshots that were handed over, and takes the last.
    pub(super) fn finish(self, root: &Snapshot) {
        let Self { archivist, roots, ended, thread, .. } = self;
        drop(roots);
        let ended = receive(archivist.deps.threads.as_ref(), &ended);
        if thread.join().is_ok() && ended.is_ok() {
            archivist.take(root);
        }
    }
}

/// The archivist's thread: one root a step, until the worker lets go of its end.
#[derive(Debug)]
struct Archiving {
    archivist: Arc<Archivist>,
    roots: Receiver<Arc<Snapshot>>,
    /// What came while the thread waited.
    arrived: Option<Arc<Snapshot>>,
    end: SyncSender<()>,
}

impl Worker for Archiving {
    fn step(&mut self) -> Progress {
        match self.arrived.take().map_or_else(|| self.roots.try_recv(), Ok) {
            Ok(root) => {
                self.archivist.take(&root);
                Progress::Worked
            }
            Err(TryRecvError::Empty) => Progress::Idle(None),
            Err(TryRecvError::Disconnected) => {
                // A worker that ended without a close waits for nothing.
                let _ = self.end.try_send(());
                Progress::Ended
            }
        }
    }

    fn wait(&mut self, _patience: Option<Duration>) {
        self.arrived = self.roots.recv().ok();
    }
}

/// Writes snapshots and drops segments.
#[derive(Debug)]
pub(super) struct Archivist {
    snapshots: SnapshotDir,
    log: LogHandle<()>,
    deps: wal::Deps,
    snapshot_len: AtomicU64,
}

impl Archivist {
    pub(super) fn new(
        snapshots: SnapshotDir,
        log: LogHandle<()>,
        deps: wal::Deps,
        snapshot_len: u64,
    ) -> Self {
        Self { snapshots, log, deps, snapshot_len: AtomicU64::new(snapshot_len) }
    }

    /// The length of the newest snapshot.
    fn snapshot_len(&self) -> u64 {
        // Relaxed: a number on its own, and an older one does no harm.
        self.snapshot_len.load(Ordering::Relaxed)
    }

    /// Takes a snapshot of `root`, which is durable in the log.
    fn take(&self, root: &Snapshot) {
        if let Err(error) = self.write(root) {
            self.give_up(&error);
        }
    }

    /// Goes on without the snapshot where that does no harm: the log has everything, and the next
    /// attempt comes when it has grown again. What would end the process if it happened to the log
    /// does so here too: such a disk is not to be trusted with the next commit.
    fn give_up(&self, error: &Error) {
        if let Error::Log(error) = error
            && let wal::Error::Io { operation, source, .. } = error
            && respond(*operation, source) == Response::Fatal
        {
            self.deps.fatal.end(error);
        }
        tracing::warn!(%error, "a snapshot of the catalog failed, its log grows on");
        if let Err(error) = self.snapshots.remove_unfinished() {
            tracing::warn!(%error, "what was written of it stays until the next attempt");
        }
    }

    fn write(&self, root: &Snapshot) -> Result<(), Error> {
        let version = root.version();
        if self.snapshots.versions()?.first().is_some_and(|newest| *newest >= version) {
            return Ok(());
        }
        let state = self.log.state();
        let stored = StoredSnapshot::new(state.log_id, state.epoch, root);
        let bytes = self.snapshots.write(&stored)?;
        self.snapshot_len.store(bytes, Ordering::Relaxed);
        tracing::info!(version = version.get(), bytes, "took a snapshot of the catalog");
        let Some(kept) = self.snapshots.keep_two()? else { return Ok(()) };
        match needless(&self.log.state().sealed, Lsn::new(kept.get())) {
            Some(seq) => Ok(self.log.drop_through(seq)?),
            None => Ok(()),
        }
    }
}

/// The newest of the oldest segments whose commands are all in the snapshot that ends at `lsn`.
fn needless(sealed: &[SegmentSummary], lsn: Lsn) -> Option<SegmentSeq> {
    let is_in = |segment: &&SegmentSummary| segment.lsns.is_none_or(|lsns| lsns.last() <= lsn);
    sealed.iter().take_while(is_in).last().map(|segment| segment.seq)
}
