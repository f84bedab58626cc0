//! The disk that there is: the only place in this crate that touches `std::fs`, but for its syncs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use types::effect::{Access, DirLock, Disk, DiskEntry, DiskFile, LockMode};

use super::sync_once;

/// The file in a directory whose lock is the directory's.
const LOCK_NAME: &str = "lock";

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

/// The directories that this process has locked, open: to sync one of them takes no descriptor,
/// which there may not be at the moment when a segment needs its name, and which is no reason to end
/// the process.
static LOCKED: Mutex<Vec<(PathBuf, Arc<File>)>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct ExclusiveLock {
    dir: PathBuf,
    /// The lock lives as long as the open file.
    _file: File,
}

impl ExclusiveLock {
    fn new(dir: &Path, file: File) -> io::Result<Self> {
        let opened = Arc::new(File::open(dir)?);
        LOCKED.lock().push((dir.to_owned(), opened));
        Ok(Self { dir: dir.to_owned(), _file: file })
    }
}

impl Drop for ExclusiveLock {
    fn drop(&mut self) {
        LOCKED.lock().retain(|(dir, _)| *dir != self.dir);
    }
}

/// A reader takes no lock: it must work beside an owner, on a read-only mount, and without leaving
/// a file behind. It copes with files that vanish while it looks.
#[derive(Debug)]
struct SharedLock;

impl DirLock for ExclusiveLock {}
impl DirLock for SharedLock {}

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // It was removed since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                let is_dir = metadata.is_dir();
                let len = if is_dir { 0 } else { metadata.len() };
                entries.push(DiskEntry { name, len, is_dir });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let write = access == Access::ReadWrite;
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let locked = LOCKED.lock();
        let opened = locked.iter().find(|(path, _)| path == dir).map(|(_, file)| Arc::clone(file));
        drop(locked);
        match opened {
            Some(opened) => sync_once::all(&opened),
            None => sync_once::all(&File::open(dir)?),
        }
    }

    fn lock_dir(&self, dir: &Path, mode: LockMode) -> io::Result<Box<dyn DirLock>> {
        if mode == LockMode::Shared {
            std::fs::metadata(dir)?;
            return Ok(Box::new(SharedLock));
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOCK_NAME))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(ExclusiveLock::new(dir, file)?)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        sync_once::data(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{create_dir_all, write_all_at};

    #[test]
    fn directories_are_made_down_to_the_last() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let deep = root.path().join("a/b/c");
        create_dir_all(&RealDisk, &deep).expect("create");
        create_dir_all(&RealDisk, &deep).expect("repeat");
        assert!(RealDisk.list(&deep).expect("list").is_empty());
    }

    #[test]
    fn an_owner_keeps_others_out_but_not_readers() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let owner = RealDisk.lock_dir(root.path(), LockMode::Exclusive).expect("the first");
        let second = RealDisk.lock_dir(root.path(), LockMode::Exclusive);
        assert_eq!(second.expect_err("taken").kind(), io::ErrorKind::WouldBlock);
        assert!(RealDisk.lock_dir(root.path(), LockMode::Shared).is_ok());
        drop(owner);
        assert!(RealDisk.lock_dir(root.path(), LockMode::Exclusive).is_ok());
    }

    #[test]
    fn a_locked_directory_is_synced_without_being_opened_again() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let dir = root.path().join("log");
        RealDisk.create_dir(&dir).expect("create");
        let owner = RealDisk.lock_dir(&dir, LockMode::Exclusive).expect("the first");
        // Where nothing has this name any more, nothing can be opened by it.
        RealDisk.rename(&dir, &root.path().join("elsewhere")).expect("rename");
        RealDisk.sync_dir(&dir).expect("it is open");
        drop(owner);
        assert!(RealDisk.sync_dir(&dir).is_err());
    }

    #[test]
    fn entries_come_in_the_order_of_their_names() {
        let root = tempfile::tempdir().expect("a temporary directory");
        for name in ["b", "a"] {
            let file = RealDisk.create(&root.path().join(name)).expect("create");
            write_all_at(file.as_ref(), b"xyz", 0).expect("write");
        }
        let entries = RealDisk.list(root.path()).expect("list");
        let names: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.len)).collect();
        assert_eq!(names, [("a", 3), ("b", 3)]);
        let taken = RealDisk.create(&root.path().join("a"));
        assert_eq!(taken.expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
    }
}
