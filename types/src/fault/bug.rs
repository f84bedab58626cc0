//! The bugs that can be planted: each one that a log, a buffer or a catalog has had somewhere.

/// Declares the bugs, each with its name and the mistake in a sentence.
macro_rules! bugs {
    ($($(#[doc = $mistake:literal])+ $bug:ident = $name:literal,)+) => {
        /// A mistake that can be switched on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[doc = $mistake])+ $bug,)+
        }

        impl Bug {
            /// All bugs.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$bug),+];

            /// The name that switches it on.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }

            /// The mistake, in words.
            pub const fn mistake(self) -> &'static str {
                match self {
                    $(Self::$bug => concat!($($mistake),+).trim_ascii(),)+
                }
            }

            /// The bug with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    /// A group is published and acknowledged without its fdatasync.
    AckBeforeFsync = "ack-before-fsync",
    /// A batch is in the buffer before its group is durable.
    PublishBeforeFsync = "publish-before-fsync",
    /// The batches of a group are published in the reverse order of their LSNs.
    PublishOutOfOrder = "publish-out-of-order",
    /// The directory of the log is not synced when a segment gets its name.
    NoDirectoryFsync = "no-directory-fsync",
    /// A segment is dropped when its jobs are uploaded, before the catalog has committed them.
    DropBeforeCommit = "drop-before-commit",
    /// A replayed segment is dropped while a persist job of its data is still running.
    DropDuringReplay = "drop-during-replay",
    /// After a write that was cut short, the next frame is appended behind the torn one.
    AppendAfterPartialWrite = "append-after-partial-write",
    /// A frame's body is believed without its checksum.
    IgnoreChecksum = "ignore-checksum",
    /// A recovered log numbers its next segment like one that it has seen.
    ReuseSegmentId = "reuse-segment-id",
    /// Of two values of one point the one with the later wall clock wins.
    OrderByWallClock = "order-by-wall-clock",
    /// A catalog command that is sent again is applied again.
    RetryNotIdempotent = "retry-not-idempotent",
    /// A catalog commit of an older epoch is accepted.
    NoEpochCheck = "no-epoch-check",
    /// Replay skips all up to the largest LSN of a partition's files.
    LargestLsn = "largest-lsn",
    /// A partition lets go of a chunk at its commit, though a query of an older version reads on.
    ReleaseBeforeReaders = "release-before-readers",
    /// A bad frame in front of good ones is taken for the end of the log.
    TornMiddleAsEnd = "torn-middle-as-end",
}
