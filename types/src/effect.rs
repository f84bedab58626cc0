//! The effects, as traits: whoever needs a clock, a disk or chance is given one, so that a seed
//! replays a run. The real ones live where the I/O lives; the ones here are pure.

pub mod clock;
pub mod disk;
pub mod pool;
pub mod randomness;
pub mod threads;

pub use clock::{Clock, ManualClock};
pub use disk::{Access, DirLock, Disk, DiskEntry, DiskFile, LockMode};
pub use pool::{InPlace, Lost, Pool, offload};
pub use randomness::{Randomness, SeededRandomness};
pub use threads::{Panicked, Progress, SystemThreads, Thread, Threads, Turns, Worker, receive};
