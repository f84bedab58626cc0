//! Snapshots on disk: whole files under names that say their version, the two newest kept.
//!
//! A file is written under another name, synced, renamed and its directory synced: under its own
//! name it is whole, or the disk has damaged it since.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use types::CatalogVersion;
use types::effect::{Access, Disk};
use types::fault::{self, Point};
use wal::disk::{Operation, read_exact_at, write_all_at};

use crate::damage::{Damage, Place};
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::snapshot_file::{decode, encode};
use crate::stored::StoredSnapshot;

/// The name under which a snapshot is written.
const UNFINISHED: &str = "snapshot.tmp";

/// What is added to the name of a snapshot that was found damaged and that the log made needless.
const DAMAGED_ENDING: &str = ".damaged";

/// The directory with the snapshots.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotDir {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl SnapshotDir {
    /// The snapshots in `dir`, which exists.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_owned() }
    }

    /// The versions that there are, newest first.
    pub(crate) fn versions(&self) -> Result<Vec<CatalogVersion>, Error> {
        let entries = self.disk.list(&self.dir).map_err(io(Operation::Read, &self.dir))?;
        let mut versions: Vec<_> =
            entries.iter().filter_map(|entry| version_of(&entry.name)).collect();
        versions.sort_by(|one, other| other.cmp(one));
        Ok(versions)
    }

    /// Where the snapshot of `version` is.
    pub(crate) fn path(&self, version: CatalogVersion) -> PathBuf {
        self.dir.join(name_of(version))
    }

    /// Reads the snapshot of `version`, all of it checked; returns it with its length.
    pub(crate) fn read(&self, version: CatalogVersion) -> Result<(StoredSnapshot, u64), Error> {
        let path = self.path(version);
        let file = self.disk.open(&path, Access::Read).map_err(io(Operation::Open, &path))?;
        let len = file.len().map_err(io(Operation::Read, &path))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        read_exact_at(&file, &mut bytes, 0).map_err(io(Operation::Read, &path))?;
        let stored = decode(&bytes)
            .map_err(|(offset, why)| Error::corrupt(&path, Place::Offset(offset), why))?;
        if stored.version != version {
            let why = Damage::Contradiction { what: format!("version {}", stored.version) };
            return Err(Error::corrupt(&path, Place::Offset(0), why));
        }
        Ok((stored, len))
    }

    /// The state that was stored.
    pub(crate) fn restore(&self, stored: StoredSnapshot) -> Result<Snapshot, Error> {
        let path = self.path(stored.version);
        stored.into_root().map_err(|why| Error::corrupt(&path, Place::Offset(0), why))
    }

    /// Writes a snapshot durably; returns its length. After an error there is no new one.
    pub(crate) fn write(&self, stored: &StoredSnapshot) -> Result<u64, Error> {
        let bytes = encode(stored)?;
        self.remove_unfinished()?;
        let unfinished = self.dir.join(UNFINISHED);
        let path = self.path(stored.version);
        let file = self.disk.create(&unfinished).map_err(io(Operation::Create, &unfinished))?;
        write_all_at(file.as_ref(), &bytes, 0).map_err(io(Operation::Write, &unfinished))?;
        file.sync_data().map_err(io(Operation::Sync, &unfinished))?;
        fault::reach(Point::SnapshotBefore);
        self.rename(&unfinished, &path)?;
        Ok(bytes.len() as u64)
    }

    /// Removes what a crash or a full disk left of a snapshot.
    pub(crate) fn remove_unfinished(&self) -> Result<(), Error> {
        let path = self.dir.join(UNFINISHED);
        match self.disk.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io(Operation::Remove, &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Removes all but the two newest. Returns the version of the older of the two: whatever is in
    /// it need not be in the log, even if the newest turns out to be damaged. `None` as long as
    /// there are not two.
    pub(crate) fn keep_two(&self) -> Result<Option<CatalogVersion>, Error> {
        let versions = self.versions()?;
        for version in versions.iter().skip(2).rev() {
            let path = self.path(*version);
            self.disk.remove(&path).map_err(io(Operation::Remove, &path))?;
        }
        if versions.len() > 2 {
            self.sync()?;
        }
        Ok(versions.get(1).copied())
    }

    /// Gives a damaged snapshot, which the log made needless, a name that is not read again.
    pub(crate) fn set_aside(&self, version: CatalogVersion) -> Result<PathBuf, Error> {
        let path = self.path(version);
        let aside = self.dir.join(format!("{}{DAMAGED_ENDING}", name_of(version)));
        self.rename(&path, &aside)?;
        Ok(aside)
    }

    /// Renames durably. The two calls fail differently: a name that did not come about is no harm,
    /// one that is there and may go away again is.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.disk.rename(from, to).map_err(io(Operation::Rename, to))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), Error> {
        self.disk.sync_dir(&self.dir).map_err(io(Operation::SyncDir, &self.dir))
    }
}

fn name_of(version: CatalogVersion) -> String {
    format!("snapshot-{:020}.json", version.get())
}

/// The version in a file name; only the one spelling counts.
fn version_of(name: &str) -> Option<CatalogVersion> {
    let digits = name.strip_prefix("snapshot-")?.strip_suffix(".json")?;
    let version = CatalogVersion::new(digits.parse().ok()?);
    (name_of(version) == name).then_some(version)
}

fn io(operation: Operation, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Log(wal::Error::Io { operation, path: path.to_owned(), source })
}
