//! Opens a catalog: the newest whole snapshot, then the log's commands after it.
//!
//! ```text
//!   lock ─▶ read snapshots, newest first, until one is whole ─▶ recover the log
//!        ─▶ replay what the snapshot lacks, refuse gaps       (no snapshot was touched so far)
//!        ─▶ set damaged snapshots aside ─▶ start the log under the next epoch
//! ```
//!
//! The name of a snapshot vouches for its version even if its bytes are damaged or cannot be read:
//! the file got the name after it was whole. So a log that ends before it has lost something, and
//! is refused.

use std::io;
use std::path::Path;
use std::sync::Arc;

use types::effect::{DirLock, LockMode};
use types::{CatalogVersion, Epoch, LogId, Lsn};
use wal::disk::{Operation, create_dir_all};
use wal::{Recovery, Vouched};

use crate::damage::{Damage, Place, is_unreadable};
use crate::embedded::durable_log::DurableLog;
use crate::embedded::replay::replay;
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::snapshot_dir::SnapshotDir;

/// The log's directory within the catalog's.
const LOG_DIR: &str = "log";

/// A catalog that is whole, and its log running.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) root: Arc<Snapshot>,
    pub(super) log: DurableLog,
    pub(super) snapshots: SnapshotDir,
    /// The length of the snapshot that it began from.
    pub(super) snapshot_len: u64,
    /// Bytes of the log that had to be read.
    pub(super) replayed_bytes: u64,
    pub(super) lock: Box<dyn DirLock>,
}

/// What the snapshots say.
#[derive(Debug, Default)]
struct Base {
    /// The newest version that a snapshot names, whole or not.
    named: CatalogVersion,
    /// The state, log, epoch and length of the newest whole snapshot.
    root: Snapshot,
    log: Option<LogId>,
    epoch: Epoch,
    len: u64,
    /// The damaged and unreadable snapshots that are newer than the whole one, with what is wrong
    /// with them.
    damaged: Vec<(CatalogVersion, Error)>,
}

/// Opens the catalog in `dir`.
pub(super) fn open(dir: &Path, config: wal::Config, deps: &wal::Deps) -> Result<Opened, Error> {
    let lock = lock(dir, deps)?;
    let snapshots = SnapshotDir::new(Arc::clone(&deps.disk), dir);
    let mut base = Base::read(&snapshots)?;
    let log_dir = dir.join(LOG_DIR);
    let recovery = Recovery::open(&log_dir, config.clone(), deps.clone(), base.vouched())?;
    let replayed = replay(&recovery, &log_dir, &mut base.root);
    let replayed_bytes = base.check(&snapshots, replayed)?;
    snapshots.remove_unfinished()?;
    let epoch = recovery.epoch().max(base.epoch).next();
    let version = base.root.version().get();
    let snapshot_len = base.len;
    let root = base.settle(&snapshots)?;
    tracing::info!(dir = %dir.display(), version, replayed_bytes, "the catalog is open");
    let log = DurableLog::start(recovery, config, epoch, Arc::clone(&deps.threads))?;
    Ok(Opened { root, log, snapshots, snapshot_len, replayed_bytes, lock })
}

/// Creates the directory durably if it is not there, and keeps others out of it.
fn lock(dir: &Path, deps: &wal::Deps) -> Result<Box<dyn DirLock>, Error> {
    let failed = |operation| {
        let path = dir.to_owned();
        move |source| Error::Log(wal::Error::Io { operation, path, source })
    };
    create_dir_all(deps.disk.as_ref(), dir).map_err(failed(Operation::Create))?;
    let locked = deps.disk.lock_dir(dir, LockMode::Exclusive);
    locked.map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => wal::Error::Locked { path: dir.to_owned() }.into(),
        _ => failed(Operation::Lock)(source),
    })
}

impl Base {
    /// Reads snapshots, newest first, until one is whole; without any it is the empty catalog.
    fn read(snapshots: &SnapshotDir) -> Result<Self, Error> {
        let mut base = Self::default();
        for version in snapshots.versions()? {
            base.named = base.named.max(version);
            match snapshots.read(version) {
                Ok((stored, len)) => {
                    let (log, epoch) = (Some(stored.log), stored.epoch);
                    let root = snapshots.restore(stored)?;
                    return Ok(Self { root, log, epoch, len, ..base });
                }
                Err(error) if is_rot(&error) => base.damaged.push((version, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(base)
    }

    /// What the log has to live up to. Its epochs are registered nowhere else.
    fn vouched(&self) -> Vouched {
        let lsn = Lsn::new(self.named.get());
        Vouched { log: self.log, epoch: Vouched::ANY_EPOCH, lsn }
    }

    /// Refuses a log that does not reach the newest snapshot. Where a snapshot is damaged and the
    /// log does not make up for it, the damage is what is told.
    fn check(
        &mut self,
        snapshots: &SnapshotDir,
        replayed: Result<u64, Error>,
    ) -> Result<u64, Error> {
        let (named, last) = (self.named, self.root.version());
        let checked = replayed.and_then(|bytes| {
            if last >= named {
                return Ok(bytes);
            }
            let why = Damage::LogEndsEarly { named, last };
            Err(Error::corrupt(&snapshots.path(named), Place::Offset(0), why))
        });
        checked.map_err(|error| {
            let damage = self.damaged.drain(..).next();
            damage.map_or(error, |(_, damage)| damage)
        })
    }

    /// Sets the damaged snapshots aside, now that the log has made up for them.
    fn settle(self, snapshots: &SnapshotDir) -> Result<Arc<Snapshot>, Error> {
        for (version, error) in self.damaged {
            let aside = snapshots.set_aside(version)?;
            let aside = aside.display();
            tracing::error!(%error, %aside, "the log made up for a damaged snapshot");
        }
        Ok(Arc::new(self.root))
    }
}

/// True if the disk must have done it, so that the log may make up for it.
fn is_rot(error: &Error) -> bool {
    match error {
        Error::Corrupt { why, .. } => why.is_rot(),
        Error::Log(wal::Error::Io {
            operation: Operation::Open | Operation::Read, source, ..
        }) => is_unreadable(source),
        _ => false,
    }
}
