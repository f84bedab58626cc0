//! The file system as an effect: the few calls that durability is made of.

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskEntry {
    /// The name within its directory.
    pub name: String,
    /// Length in bytes; 0 for a directory.
    pub len: u64,
    /// True for a directory.
    pub is_dir: bool,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only to read.
    Read,
    /// To read and to write in place.
    ReadWrite,
}

/// How a directory is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// One owner; a second is refused.
    Exclusive,
    /// Any number of readers beside each other, and beside an owner.
    Shared,
}

/// A file system. What was written is durable only after [`DiskFile::sync_data`]; a name that was
/// created, renamed or removed only after [`Disk::sync_dir`] of its directory.
pub trait Disk: Debug + Send + Sync {
    /// Creates one directory whose parent exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The entries of `dir` in the order of their names.
    fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>>;

    /// Creates an empty file to read and write; fails with `AlreadyExists` if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Locks `dir` until the guard is dropped; fails with `WouldBlock` if another owner has it.
    fn lock_dir(&self, dir: &Path, mode: LockMode) -> io::Result<Box<dyn DirLock>>;
}

/// An open file. Calls may do less than asked, as the system calls do; `Interrupted` is possible.
pub trait DiskFile: Debug + Send + Sync {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// True if the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads from `offset`; returns how many bytes, 0 at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`; returns how many bytes were taken.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file off at `len`, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the bytes, and the length they need, durable.
    fn sync_data(&self) -> io::Result<()>;
}

/// Keeps a directory locked as long as it lives.
pub trait DirLock: Debug + Send + Sync {}
