//! The faults that a modelled disk has, and when.

use std::io;

use super::Operation;

/// The error of a sync that fails, and of a read over a bad sector.
pub(super) const EIO: i32 = 5;
/// The error where a file finds no descriptor.
const EMFILE: i32 = 24;
/// The error of a sync that finds no room.
const ENOSPC: i32 = 28;

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// The call at which the process dies, counted from 1.
    pub(super) die_at: Option<u64>,
    /// The sync, of data or of a directory, that fails, counted down.
    pub(super) fail_sync_in: Option<u64>,
    /// How many syncs find no room, once so many others are over.
    pub(super) full_syncs: u64,
    pub(super) syncs_before_full: u64,
    /// Files can neither be opened nor created, for want of descriptors.
    pub(super) no_descriptors: bool,
    /// Bytes that all files may have together.
    pub(super) capacity: Option<u64>,
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

    /// The error of the sync that is asked for, if it is one of those that fail.
    pub(super) fn sync_error(&mut self) -> Option<io::Error> {
        let is_due = self.fail_sync_in == Some(1);
        self.fail_sync_in =
            self.fail_sync_in.and_then(|left| left.checked_sub(1)).filter(|left| *left > 0);
        let is_full = self.sync_is_full();
        let errno = if is_due { Some(EIO) } else { is_full.then_some(ENOSPC) };
        errno.map(io::Error::from_raw_os_error)
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
            true => Err(io::Error::from_raw_os_error(EMFILE)),
            false => Ok(()),
        }
    }
}
