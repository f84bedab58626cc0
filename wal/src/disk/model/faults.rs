//! The faults that a modelled disk has, and when.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use types::effect::ManualClock;

use super::{ModelDisk, Operation, State};

/// What the system says of a call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// `EIO`: the device failed.
    Io,
    /// `ENOSPC`: there is no room, for bytes or for a name.
    NoSpace,
    /// `EMFILE`: the process has no descriptor left.
    NoDescriptor,
}

impl Errno {
    /// The error as a call returns it.
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io => 5,
            Self::NoDescriptor => 24,
            Self::NoSpace => 28,
        })
    }
}

/// What has gone wrong on one disk since it was made: faults count when they hit a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Syncs that failed for another reason than a full disk.
    pub failed_syncs: u64,
    /// Syncs that found no room.
    pub full_syncs: u64,
    /// Writes and new names that found no room at all.
    pub refused_for_room: u64,
    /// How often the disk was full and refused something, however many calls tried meanwhile.
    pub times_full: u64,
}

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) hits: Hits,
    /// True if a call has found no room since the capacity was last set.
    full_was_met: bool,
    /// The call at which the process dies, counted from 1.
    pub(super) die_at: Option<u64>,
    /// The call that fails, counted from 1, and how.
    failing_call: Option<(u64, Errno)>,
    /// The call of one kind that fails, counted down, and how.
    failing_operation: Option<(Operation, u64, Errno)>,
    /// The call from which on the disk has no more room than is in use.
    full_at: Option<u64>,
    /// The sync, of data or of a directory, that fails, counted down.
    pub(super) fail_sync_in: Option<u64>,
    /// How many syncs find no room, once so many others are over.
    pub(super) full_syncs: u64,
    pub(super) syncs_before_full: u64,
    /// Files can neither be opened nor created, for want of descriptors.
    pub(super) no_descriptors: bool,
    /// Bytes that all files may have together.
    pub(super) capacity: Option<u64>,
    /// Names that there may be, directories and the root included.
    names_max: Option<usize>,
    /// Writes and reads do less than asked, or are interrupted, now and then.
    pub(super) partial: bool,
    /// Syncs of this kind say yes and do nothing.
    pub(super) ignored: Option<Operation>,
}

impl Faults {
    /// Those that do not end with the process.
    pub(super) fn of_the_machine(self) -> Self {
        Self { partial: self.partial, ignored: self.ignored, ..Self::default() }
    }

    /// Limits the bytes of all files, or lifts the limit.
    pub(super) fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
        self.full_was_met = false;
    }

    /// Counts a call that found no room.
    pub(super) fn note_no_room(&mut self) {
        self.hits.refused_for_room += 1;
        self.hits.times_full += u64::from(!mem::replace(&mut self.full_was_met, true));
    }

    /// Counts a sync that failed.
    pub(super) fn note_failed_sync(&mut self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::StorageFull => self.hits.full_syncs += 1,
            _ => self.hits.failed_syncs += 1,
        }
    }

    /// The error of the call that is made, if it is one that fails alone.
    pub(super) fn error_of(&mut self, operation: Operation, call: u64) -> Option<io::Error> {
        if let Some((_, errno)) = self.failing_call.filter(|(at, _)| *at == call) {
            return Some(errno.error());
        }
        let (kind, left, errno) = self.failing_operation.filter(|(kind, ..)| *kind == operation)?;
        let is_due = left <= 1;
        self.failing_operation = (!is_due).then_some((kind, left.saturating_sub(1), errno));
        is_due.then(|| errno.error())
    }

    /// The error of the sync that is asked for, if it is one of those that fail.
    pub(super) fn sync_error(&mut self) -> Option<io::Error> {
        let is_due = self.fail_sync_in == Some(1);
        self.fail_sync_in =
            self.fail_sync_in.and_then(|left| left.checked_sub(1)).filter(|left| *left > 0);
        let is_full = self.sync_is_full();
        let errno = if is_due { Some(Errno::Io) } else { is_full.then_some(Errno::NoSpace) };
        errno.map(Errno::error)
    }

    fn sync_is_full(&mut self) -> bool {
        if self.syncs_before_full > 0 {
            self.syncs_before_full -= 1;
            return false;
        }
        let is_full = self.full_syncs > 0;
        self.full_syncs = self.full_syncs.saturating_sub(1);
        is_full
    }

    /// Fails while there are no descriptors.
    pub(super) fn check_descriptors(&self) -> io::Result<()> {
        match self.no_descriptors {
            true => Err(Errno::NoDescriptor.error()),
            false => Ok(()),
        }
    }
}

/// A disk whose syncs take time.
#[derive(Clone, Debug)]
pub(super) struct Slowness {
    clock: Arc<ManualClock>,
    sync_time: Duration,
}

impl Slowness {
    /// Lets the time of one sync pass.
    pub(super) fn pass(&self) {
        self.clock.advance(self.sync_time);
    }
}

impl State {
    /// Has the disk be full if it is to be from this call on.
    pub(super) fn fill_if_due(&mut self) {
        if self.faults.full_at == Some(self.calls) {
            self.faults.set_capacity(Some(self.cache.used()));
        }
    }

    /// Fails if `path` would be one name more than there may be.
    pub(super) fn check_room_for_name(&mut self, path: &Path) -> io::Result<()> {
        match self.faults.names_max {
            Some(max) if !self.cache.has_name(path) && self.cache.names() >= max => {
                self.faults.note_no_room();
                Err(Errno::NoSpace.error())
            }
            _ => Ok(()),
        }
    }
}

/// Faults, which end with the process, and slowness, which does not.
impl ModelDisk {
    /// Has the `call`th call from now on, counted from 1, fail and do nothing, whatever it is. A sync
    /// of data that fails forgets what it was asked to write, as in [`ModelDisk::fail_sync`].
    pub fn fail_call(&self, call: u64, errno: Errno) {
        let mut state = self.state.lock();
        state.faults.failing_call = Some((state.calls + call, errno));
    }

    /// Has the `nth` call of this kind from now on, counted from 1, fail and do nothing. To create a
    /// directory counts as [`Operation::Create`], to list one and to ask for a length as
    /// [`Operation::Read`].
    pub fn fail_operation(&self, operation: Operation, nth: u64, errno: Errno) {
        self.state.lock().faults.failing_operation = Some((operation, nth, errno));
    }

    /// Has the disk be full to the last byte from the `call`th call from now on, counted from 1,
    /// until [`ModelDisk::set_capacity`] says otherwise.
    pub fn fill_at_call(&self, call: u64) {
        let mut state = self.state.lock();
        state.faults.full_at = Some(state.calls + call);
    }

    /// Limits the names on the disk, directories and the root included; beyond them neither a file
    /// nor a directory can be created, and none be given a new name. `None` lifts the limit.
    pub fn set_names_max(&self, names: Option<usize>) {
        self.state.lock().faults.names_max = names;
    }

    /// What has gone wrong so far. The disk that another process finds begins anew.
    pub fn hits(&self) -> Hits {
        self.state.lock().faults.hits
    }

    /// The names on the disk, directories and the root included.
    pub fn names(&self) -> usize {
        self.state.lock().cache.names()
    }

    /// Has each sync take `time` on `clock`, in this process and those after it.
    pub fn slow_down(&self, clock: &Arc<ManualClock>, time: Duration) {
        let slowness = Slowness { clock: Arc::clone(clock), sync_time: time };
        self.state.lock().slowness = Some(slowness);
    }
}
