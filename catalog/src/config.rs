//! What an operator may choose about the catalog.

/// Bytes of a segment of the catalog's log.
const SEGMENT_SIZE: u64 = 4 << 20;

/// Largest body of a frame. A command comes from one request, whose body is at most 64 MiB by
/// default and names each column once; escapes may double it.
const FRAME_RAW_LEN_MAX: u32 = 256 << 20;

/// The embedded catalog's choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How much of each kind there may be.
    pub limits: Limits,
    /// Bytes of a segment of the log, written as zeros ahead of need, so that a command fits on a
    /// full disk. Default 4 MiB.
    pub segment_size: u64,
    /// Bytes that the log grows by before the next snapshot is taken; more where the last snapshot
    /// was larger, so that snapshots cost at most as much as the log itself. Default 8 MiB, which
    /// is read back in a fraction of a second.
    pub snapshot_after_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            segment_size: SEGMENT_SIZE,
            snapshot_after_bytes: 2 * SEGMENT_SIZE,
        }
    }
}

impl Config {
    /// The configuration of the log. It has no size limit of its own: snapshots bound it, and a
    /// limit could only refuse commands that the disk has room for.
    pub(crate) fn log(&self) -> wal::Config {
        wal::Config {
            segment_size: self.segment_size,
            max_size: u64::MAX,
            frame_raw_len_max: FRAME_RAW_LEN_MAX,
            // A start writes the newest segment anew and begins one: where the disk is full and the
            // spare was used up, this is the room for both.
            ballast_size: self.segment_size,
            // Whoever makes room has commands to commit: a start takes them where it can.
            segment_before_ballast: true,
            ..wal::Config::default()
        }
    }
}

/// How much of each kind there may be. They bound what new commands may add; what is there already
/// stays, also under a limit that was lowered since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Databases. Default 1,000.
    pub databases_max: usize,
    /// Tables a database. Default 10,000.
    pub tables_max: usize,
    /// Columns a table, tags and `time` included. Default 1,000.
    pub columns_max: usize,
}

impl Limits {
    /// No limits at all, for commands that were accepted before.
    pub(crate) const NONE: Self =
        Self { databases_max: usize::MAX, tables_max: usize::MAX, columns_max: usize::MAX };
}

impl Default for Limits {
    fn default() -> Self {
        Self { databases_max: 1_000, tables_max: 10_000, columns_max: 1_000 }
    }
}
