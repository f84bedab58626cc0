//! The faults that a modelled disk has, and when.

use super::Operation;

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// The call at which the process dies, counted from 1.
    pub(super) die_at: Option<u64>,
    /// The sync, of data or of a directory, that fails, counted down.
    pub(super) fail_sync_in: Option<u64>,
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

    /// True if the sync that is asked for is the one that fails.
    pub(super) fn sync_fails(&mut self) -> bool {
        let due = self.fail_sync_in == Some(1);
        self.fail_sync_in =
            self.fail_sync_in.and_then(|left| left.checked_sub(1)).filter(|left| *left > 0);
        due
    }
}
