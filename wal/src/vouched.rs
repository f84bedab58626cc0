//! What others know about a log before it is opened.

use types::{Epoch, LogId, Lsn};

/// What the catalog vouches for: bytes that it knows to have been durable must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The log's id, where it is known.
    pub log: Option<LogId>,
    /// The highest epoch registered, or [`Vouched::ANY_EPOCH`].
    pub epoch: Epoch,
    /// The largest LSN that a commit holds or recorded; what lies below may have been dropped.
    pub lsn: Lsn,
}

impl Vouched {
    /// Stands for "there is no register of epochs", as for the catalog's own log.
    pub const ANY_EPOCH: Epoch = Epoch::new(u64::MAX);

    /// For a log that nobody else keeps account of, such as the catalog's own. `lsn` is the last
    /// one that a snapshot made needless, [`Lsn::ZERO`] without a snapshot.
    pub const fn by_snapshot(lsn: Lsn) -> Self {
        Self { log: None, epoch: Self::ANY_EPOCH, lsn }
    }

    /// The highest epoch known to the one who vouches.
    pub(crate) fn known_epoch(&self) -> Epoch {
        if self.epoch == Self::ANY_EPOCH { Epoch::ZERO } else { self.epoch }
    }
}
