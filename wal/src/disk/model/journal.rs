//! Changes that a process sees and a power cut may take back.

use std::path::{Path, PathBuf};

use types::effect::Randomness;

use super::Cut;
use super::image::{Inode, Node};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// One change that reaches the disk whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Link { path: PathBuf, node: Node },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, inode: Inode },
    Write { inode: Inode, offset: u64, bytes: Vec<u8> },
    SetLen { inode: Inode, len: u64 },
}

impl Change {
    /// The file whose sync makes this durable.
    pub(super) fn inode(&self) -> Option<Inode> {
        match self {
            Self::Write { inode, .. } | Self::SetLen { inode, .. } => Some(*inode),
            Self::Link { .. } | Self::Unlink { .. } | Self::Rename { .. } => None,
        }
    }

    /// The directory whose sync makes this durable.
    pub(super) fn dir(&self) -> Option<&Path> {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
            Self::Write { .. } | Self::SetLen { .. } => None,
        }
    }
}

/// The changes that no sync covered yet, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Vec<Change>);

impl Journal {
    /// Adds a change; a write goes in sector by sector.
    pub(super) fn push(&mut self, change: Change) {
        let Change::Write { inode, mut offset, bytes } = change else {
            return self.0.push(change);
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let room = usize::try_from(SECTOR - offset % SECTOR).unwrap_or(rest.len());
            let (sector, behind) = rest.split_at(room.min(rest.len()));
            self.0.push(Change::Write { inode, offset, bytes: sector.to_vec() });
            offset += sector.len() as u64;
            rest = behind;
        }
    }

    /// Takes out the changes that `belongs` accepts.
    pub(super) fn take(&mut self, belongs: impl Fn(&Change) -> bool) -> Vec<Change> {
        let (taken, left) = self.0.drain(..).partition(belongs);
        self.0 = left;
        taken
    }

    /// The changes that had reached the disk when the power failed.
    pub(super) fn survivors(&self, cut: Cut, randomness: &dyn Randomness) -> Vec<&Change> {
        match cut {
            Cut::Kill => self.0.iter().collect(),
            Cut::PowerInOrder => {
                let count = randomness.next_u64() % (self.0.len() as u64 + 1);
                self.0.iter().take(usize::try_from(count).unwrap_or(0)).collect()
            }
            // Sometimes nearly all, sometimes nearly none, so that both edges are met.
            Cut::PowerAnyOrder => {
                let odds = randomness.next_u64() % 5;
                self.0.iter().filter(|_| randomness.next_u64() % 4 < odds).collect()
            }
        }
    }
}
