//! A disk in memory that forgets what was not synced, as real ones do.
//!
//! ```text
//!   write, create, rename ──▶ cache: what the process sees
//!            │
//!            └──▶ journal: sector by sector, name by name ──sync──▶ durable: what a cut leaves
//!                     │
//!                     └── at a power cut: none, a prefix, or any subset of it reaches the disk
//! ```
//!
//! Real file systems hide bugs (ext4 forgives a directory that was not synced); this one does not.
//! It counts its calls, so that a test can end the process at each of them.

mod faults;
mod image;
mod journal;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use types::effect::{
    Access, DirLock, Disk, DiskEntry, DiskFile, LockMode, Randomness, SeededRandomness,
};

use super::errno::Operation;
pub use faults::{Errno, Hits};
use faults::{Faults, Slowness};
use image::{Image, Inode, Node};
use journal::{Change, Journal};

/// What ends the machine's or the process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The process is killed: what it wrote stays in the page cache, and is not durable yet.
    Kill,
    /// The power fails, and changes had reached the disk in the order in which they were made.
    PowerInOrder,
    /// The power fails, and any of the changes since the last sync had reached the disk.
    PowerAnyOrder,
}

/// A file system in memory. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct ModelDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    cache: Image,
    durable: Image,
    journal: Journal,
    locks: Vec<PathBuf>,
    next_inode: Inode,
    /// Files over bad sectors.
    unreadable: BTreeSet<Inode>,
    calls: u64,
    faults: Faults,
    slowness: Option<Slowness>,
    randomness: SeededRandomness,
}

impl ModelDisk {
    /// An empty disk with one directory, `/`. The seed decides where calls do less than asked.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                cache: Image::with_root(),
                durable: Image::with_root(),
                journal: Journal::default(),
                locks: Vec::new(),
                next_inode: 0,
                unreadable: BTreeSet::new(),
                calls: 0,
                faults: Faults::default(),
                slowness: None,
                randomness: SeededRandomness::new(seed),
            })),
        }
    }

    /// The disk as the next process finds it: another disk, without locks and faults. Handles of
    /// this one go on to see and change the old state only.
    #[must_use]
    pub fn after(&self, cut: Cut, randomness: &dyn Randomness) -> Self {
        let state = self.state.lock();
        let (cache, durable, journal) = match cut {
            Cut::Kill => (state.cache.clone(), state.durable.clone(), state.journal.clone()),
            Cut::PowerInOrder | Cut::PowerAnyOrder => {
                let mut durable = state.durable.clone();
                for change in state.journal.survivors(cut, randomness) {
                    durable.apply(change);
                }
                durable.forget_unreachable();
                (durable.clone(), durable, Journal::default())
            }
        };
        let after = State {
            cache,
            durable,
            journal,
            locks: Vec::new(),
            next_inode: state.next_inode,
            unreadable: state.unreadable.clone(),
            calls: 0,
            faults: state.faults.of_the_machine(),
            slowness: state.slowness.clone(),
            randomness: SeededRandomness::new(randomness.next_u64()),
        };
        Self { state: Arc::new(Mutex::new(after)) }
    }

    /// How many calls this disk has had.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Has the `call`th call from now on, counted from 1, and all after it fail and do nothing.
    pub fn die_at_call(&self, call: u64) {
        let mut state = self.state.lock();
        state.faults.die_at = Some(state.calls + call);
    }

    /// Has the `sync`th sync from now on, counted from 1, fail with `EIO`. Then the pages count as
    /// clean: they can be read, no later sync writes them, and the next sync succeeds.
    pub fn fail_sync(&self, sync: u64) {
        self.state.lock().faults.fail_sync_in = Some(sync);
    }

    /// Has `count` syncs fail with `ENOSPC`, from the `sync`th from now on, counted from 1. As after
    /// any sync that failed, the pages count as clean and are never written.
    pub fn fill_at_sync(&self, sync: u64, count: u64) {
        let mut state = self.state.lock();
        state.faults.syncs_before_full = sync.saturating_sub(1);
        state.faults.full_syncs = count;
    }

    /// Has every attempt to open or create a file fail with `EMFILE`, or none any more. Directories
    /// can be synced: who locks one keeps it open.
    pub fn set_out_of_descriptors(&self, out: bool) {
        self.state.lock().faults.no_descriptors = out;
    }

    /// Has every read of a file fail with `EIO`, in this process and those after it, as over a bad
    /// sector.
    pub fn make_unreadable(&self, path: &Path) {
        let mut state = self.state.lock();
        let inode = state.cache.inode(path);
        state.unreadable.extend(inode);
    }

    /// Limits the bytes of all files together; beyond them writes fail with `ENOSPC`. `None` lifts
    /// the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().faults.set_capacity(bytes);
    }

    /// Bytes of all files together.
    pub fn used(&self) -> u64 {
        self.state.lock().cache.used()
    }

    /// Has reads and writes do less than asked now and then, or be interrupted.
    pub fn set_partial_calls(&self, partial: bool) {
        self.state.lock().faults.partial = partial;
    }

    /// Has [`Operation::Sync`] or [`Operation::SyncDir`] say yes and do nothing, for this process
    /// and those after it: what a program would be that forgot the call. A crash test that passes
    /// on such a disk tests nothing.
    pub fn ignore(&self, operation: Operation) {
        self.state.lock().faults.ignored = Some(operation);
    }

    /// The bytes of a file as a process sees them.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let inode = state.cache.inode(path)?;
        Some(state.cache.bytes(inode).to_vec())
    }

    /// Puts bytes where they are durable at once, without a call: for damage, and for old files.
    pub fn plant(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let inode = state.cache.inode(path).unwrap_or(state.next_inode);
        state.next_inode = state.next_inode.max(inode + 1);
        for change in [
            Change::Link { path: path.to_owned(), node: Node::File(inode) },
            Change::SetLen { inode, len: 0 },
            Change::Write { inode, offset: 0, bytes: bytes.to_vec() },
        ] {
            state.cache.apply(&change);
            state.durable.apply(&change);
        }
    }
}

impl State {
    /// Counts a call, and fails it if the process is dead.
    fn count(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.faults.die_at.is_some_and(|call| self.calls >= call) {
            return Err(io::Error::other("the process is dead"));
        }
        self.fill_if_due();
        Ok(())
    }

    /// Counts a call, and fails it if it is to fail.
    fn call(&mut self, operation: Operation) -> io::Result<()> {
        self.count()?;
        self.faults.error_of(operation, self.calls).map_or(Ok(()), Err)
    }

    /// Counts a sync, and lets its time pass; the error, if it is to fail.
    fn call_sync(&mut self, operation: Operation) -> io::Result<Option<io::Error>> {
        self.count()?;
        if let Some(slowness) = &self.slowness {
            slowness.pass();
        }
        let alone = self.faults.error_of(operation, self.calls);
        let counted = self.faults.sync_error();
        let error = alone.or(counted);
        if let Some(error) = &error {
            self.faults.note_failed_sync(error);
        }
        Ok(error)
    }

    fn change(&mut self, change: Change) {
        self.cache.apply(&change);
        self.journal.push(change);
    }

    /// How much of a call of `len` bytes is done.
    fn share(&self, len: usize) -> io::Result<usize> {
        if !self.faults.partial || len == 0 {
            return Ok(len);
        }
        let draw = self.randomness.next_u64();
        match draw % 8 {
            0 => Err(io::ErrorKind::Interrupted.into()),
            1 => Ok(1 + usize::try_from(draw >> 8).unwrap_or(0) % len),
            _ => Ok(len),
        }
    }

    /// How many of `len` bytes at `offset` of a file fit on the disk.
    fn fitting(&mut self, inode: Inode, offset: u64, len: usize) -> io::Result<usize> {
        let Some(capacity) = self.faults.capacity else {
            return Ok(len);
        };
        let have = self.cache.bytes(inode).len() as u64;
        let free = capacity.saturating_sub(self.cache.used());
        let fits = (have + free).saturating_sub(offset).min(len as u64);
        match usize::try_from(fits) {
            Ok(0) if len > 0 => {
                self.faults.note_no_room();
                Err(io::ErrorKind::StorageFull.into())
            }
            Ok(fits) => Ok(fits),
            Err(_) => Ok(len),
        }
    }

    fn sync(&mut self, belongs: impl Fn(&Change) -> bool) {
        for change in &self.journal.take(belongs) {
            self.durable.apply(change);
        }
    }
}

impl Disk for ModelDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call(Operation::Create)?;
        state.cache.check_free(dir)?;
        state.check_room_for_name(dir)?;
        state.change(Change::Link { path: dir.to_owned(), node: Node::Dir });
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DiskEntry>> {
        let mut state = self.state.lock();
        state.call(Operation::Read)?;
        state.cache.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.call(Operation::Create)?;
        state.cache.check_free(path)?;
        state.faults.check_descriptors()?;
        state.check_room_for_name(path)?;
        let inode = state.next_inode;
        state.next_inode += 1;
        // The inode itself is there from now on, empty; only its name can get lost.
        state.durable.apply(&Change::SetLen { inode, len: 0 });
        state.change(Change::Link { path: path.to_owned(), node: Node::File(inode) });
        Ok(self.file(inode))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.call(Operation::Open)?;
        let inode = state.cache.inode(path).ok_or(io::ErrorKind::NotFound)?;
        state.faults.check_descriptors()?;
        Ok(self.file(inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call(Operation::Rename)?;
        let inode = state.cache.inode(from).ok_or(io::ErrorKind::NotFound)?;
        state.check_room_for_name(to)?;
        state.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call(Operation::Remove)?;
        state.cache.inode(path).ok_or(io::ErrorKind::NotFound)?;
        state.change(Change::Unlink { path: path.to_owned() });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let error = state.call_sync(Operation::SyncDir)?;
        state.cache.list(dir)?;
        if let Some(error) = error {
            // Names are journalled, so they are not forgotten: they stay as they are, not durable.
            return Err(error);
        }
        if state.faults.ignored != Some(Operation::SyncDir) {
            state.sync(|change| change.dir() == Some(dir));
        }
        Ok(())
    }

    fn lock_dir(&self, dir: &Path, mode: LockMode) -> io::Result<Box<dyn DirLock>> {
        let mut state = self.state.lock();
        state.call(Operation::Lock)?;
        state.cache.list(dir)?;
        if mode == LockMode::Shared {
            return Ok(Box::new(ModelLock { owner: None }));
        }
        if state.locks.iter().any(|locked| locked == dir) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locks.push(dir.to_owned());
        Ok(Box::new(ModelLock { owner: Some((self.clone(), dir.to_owned())) }))
    }
}

impl ModelDisk {
    fn file(&self, inode: Inode) -> Box<dyn DiskFile> {
        Box::new(ModelFile { disk: self.clone(), inode })
    }
}

#[derive(Debug)]
struct ModelFile {
    disk: ModelDisk,
    inode: Inode,
}

impl DiskFile for ModelFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state.lock();
        state.call(Operation::Read)?;
        Ok(state.cache.bytes(self.inode).len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        state.call(Operation::Read)?;
        if state.unreadable.contains(&self.inode) {
            return Err(Errno::Io.error());
        }
        let held = state.cache.bytes(self.inode);
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(held.len());
        let len = state.share(bytes.len().min(held.len() - start))?;
        bytes[..len].copy_from_slice(&held[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        state.call(Operation::Write)?;
        let len = state.share(bytes.len())?;
        let len = state.fitting(self.inode, offset, len)?;
        let (inode, bytes) = (self.inode, bytes[..len].to_vec());
        state.change(Change::Write { inode, offset, bytes });
        Ok(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.call(Operation::Truncate)?;
        let inode = self.inode;
        state.change(Change::SetLen { inode, len });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let error = state.call_sync(Operation::Sync)?;
        let belongs = |change: &Change| change.inode() == Some(self.inode);
        if let Some(error) = error {
            state.journal.take(belongs);
            return Err(error);
        }
        if state.faults.ignored != Some(Operation::Sync) {
            state.sync(belongs);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct ModelLock {
    owner: Option<(ModelDisk, PathBuf)>,
}

impl DirLock for ModelLock {}

impl Drop for ModelLock {
    fn drop(&mut self) {
        if let Some((disk, dir)) = &self.owner {
            disk.state.lock().locks.retain(|locked| locked != dir);
        }
    }
}
