//! A file that only takes room, until somebody needs the room to get out of a full disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use types::effect::{Access, Disk};

use super::spare::{DiskFailure, write_zeros};
use crate::disk::Operation;

/// The file's name in the log's directory.
pub(crate) const BALLAST_NAME: &str = "ballast";

/// Keeps so many bytes of the disk for a bad day.
#[derive(Debug)]
pub(crate) struct Ballast {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    size: u64,
}

impl Ballast {
    pub(crate) const fn new(disk: Arc<dyn Disk>, dir: PathBuf, size: u64) -> Self {
        Self { disk, dir, size }
    }

    /// Makes sure that the file is there in full; on a full disk there is none at all. Where there
    /// is only no descriptor for it, what there is of it stays.
    pub(crate) fn keep(&self) -> Result<(), DiskFailure> {
        if self.size == 0 {
            return Ok(());
        }
        let kept = self.write();
        if kept.as_ref().is_err_and(DiskFailure::found_no_room) {
            self.free()?;
        }
        kept
    }

    /// Gives the room back to the disk. A file that cannot be removed, as where that takes room
    /// itself, stays for the next attempt: whoever looks at a full disk comes again.
    pub(crate) fn free(&self) -> Result<(), DiskFailure> {
        let path = self.dir.join(BALLAST_NAME);
        match self.disk.remove(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "cannot remove the ballast, will try again");
                return Ok(());
            }
        }
        // The blocks are free when the removal is durable.
        let synced = self.disk.sync_dir(&self.dir);
        synced.map_err(|error| DiskFailure::new(Operation::SyncDir, &self.dir, error))
    }

    fn write(&self) -> Result<(), DiskFailure> {
        let path = self.dir.join(BALLAST_NAME);
        let failure = |operation| {
            let path = path.clone();
            move |error| DiskFailure::new(operation, &path, error)
        };
        let file = match self.disk.open(&path, Access::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create(&path).map_err(failure(Operation::Create))?
            }
            opened => opened.map_err(failure(Operation::Open))?,
        };
        if file.len().map_err(failure(Operation::Read))? == self.size {
            return Ok(());
        }
        write_zeros(file.as_ref(), 0, self.size).map_err(failure(Operation::Write))?;
        file.set_len(self.size).map_err(failure(Operation::Truncate))?;
        file.sync_data().map_err(failure(Operation::Sync))
    }
}
