//! What is away in an outage: how it is taken away, kept away, and given back.

use crate::error::Error;
use crate::loop_mount::{Frozen, LoopMount};
use crate::scenario::outage::Of;
use crate::sibling::Sibling;

/// A file system that does not do what it should; a frozen one is thawed when this is dropped.
#[derive(Debug)]
pub(crate) enum Away<'a> {
    /// Nobody can write to it.
    ReadOnly(&'a LoopMount),
    /// Whoever writes to it waits.
    Frozen(Frozen),
    /// It has no room.
    Full(Sibling),
}

impl<'a> Away<'a> {
    pub(crate) fn take(of: Of, mount: &'a LoopMount) -> Result<Self, Error> {
        match of {
            Of::Store => mount.set_read_only(true).map(|()| Self::ReadOnly(mount)),
            Of::CatalogHangs => mount.freeze().map(Self::Frozen),
            Of::CatalogRefuses => {
                let sibling = Sibling::new(mount.path().join("sibling"));
                sibling.fill(0)?;
                Ok(Self::Full(sibling))
            }
        }
    }

    /// Takes what the server has given up meanwhile: full means full.
    pub(crate) fn keep(&self) -> Result<(), Error> {
        match self {
            Self::Full(sibling) => sibling.fill(0),
            Self::ReadOnly(_) | Self::Frozen(_) => Ok(()),
        }
    }

    pub(crate) fn give_back(self) -> Result<(), Error> {
        match self {
            Self::ReadOnly(mount) => mount.set_read_only(false),
            Self::Frozen(frozen) => frozen.thaw(),
            Self::Full(sibling) => sibling.remove(),
        }
    }
}
