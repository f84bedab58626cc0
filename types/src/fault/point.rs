//! The points at which a process can be ended: the moments on both sides of each durable step.

/// Declares the points, each with its name.
macro_rules! points {
    ($($(#[doc = $moment:literal])+ $point:ident = $name:literal,)+) => {
        /// A moment in the life of a write.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[doc = $moment])+ $point,)+
        }

        impl Point {
            /// All points.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$point),+];

            /// The name that chooses it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }

            /// The point with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|point| point.name() == name)
            }
        }
    };
}

points! {
    /// Before a group is written.
    WriteBefore = "write-before",
    /// A group is written and not synced.
    FsyncBefore = "fsync-before",
    /// A group is synced and not published.
    FsyncAfter = "fsync-after",
    /// A group is published and nobody is answered.
    AnswerBefore = "answer-before",
    /// A segment is sealed and the next has no name.
    RenameBefore = "rename-before",
    /// A segment has its name, and its directory is not synced.
    RenameAfter = "rename-after",
    /// A sealed segment is about to be removed.
    UnlinkBefore = "unlink-before",
    /// A sealed segment is removed, and its directory is not synced.
    UnlinkAfter = "unlink-after",
    /// A file is encoded and not uploaded.
    PutBefore = "put-before",
    /// A file is uploaded and not verified.
    PutAfter = "put-after",
    /// A file is verified and not committed.
    CommitBefore = "commit-before",
    /// A file is committed and its chunks are still in the buffer.
    CommitAfter = "commit-after",
    /// A frame of the log is read and not yet in the buffer.
    ReplayFrame = "replay-frame",
    /// A recovered segment is rewritten and has no name.
    RewriteBefore = "rewrite-before",
    /// A snapshot of the catalog is written and has no name.
    SnapshotBefore = "snapshot-before",
    /// A shutdown has persisted everything and not closed the log.
    CloseBefore = "close-before",
}
