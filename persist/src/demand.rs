//! Why a partition is persisted now.

/// The reason of a persist job; it decides what the job may take and what its waiting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// The partition reached its hot size.
    HotPartition,
    /// The memory budget runs low.
    MemoryPressure,
    /// The partition holds the oldest segments of a log that is near its size.
    WalBytes,
    /// The log was rotated.
    Rotation,
    /// The partition's oldest row has waited long enough.
    Age,
    /// Somebody asked for it.
    Request,
    /// The process ends.
    Shutdown,
}

impl Demand {
    /// All demands, in the order of their metric.
    pub const ALL: [Self; 7] = [
        Self::HotPartition,
        Self::MemoryPressure,
        Self::WalBytes,
        Self::Rotation,
        Self::Age,
        Self::Request,
        Self::Shutdown,
    ];

    /// True for what this node does of itself and in no hurry: it uses at most half of the permits.
    pub const fn is_housekeeping(self) -> bool {
        matches!(self, Self::Rotation | Self::Age)
    }

    /// True for what frees memory that writes need: such a job without a permit is saturation.
    pub const fn saturates(self) -> bool {
        matches!(self, Self::HotPartition | Self::MemoryPressure)
    }

    /// The demand's name in metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HotPartition => "hot_partition",
            Self::MemoryPressure => "memory_pressure",
            Self::WalBytes => "wal_bytes",
            Self::Rotation => "rotation",
            Self::Age => "age",
            Self::Request => "request",
            Self::Shutdown => "shutdown",
        }
    }
}
