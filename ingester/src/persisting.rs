//! When partitions are persisted: the triggers, and what follows a job's end.
//!
//! ```text
//!   hot partition ─┐ sealed at once               ┌─▶ BufferTree: the set retires
//!   memory ────────┤                              ├─▶ WalTracker: its LSNs are settled
//!   log bytes ─────┼─▶ seal ─▶ PersistHandle ─▶ Completion
//!   request ───────┤   (persist crate)            ├─▶ those who wait for the job
//!   shutdown ──────┤                              └─▶ SegmentDropper looks again
//!   age, rotation ─┘ in turn, by Housekeeping
//! ```
//!
//! Housekeeping seals one partition after the other, the next when the job of the last has a
//! permit; only what frees memory may hold up writes.

pub(crate) mod completion;
pub(crate) mod driver;
pub(crate) mod hot_queue;
pub(crate) mod housekeeping;
pub(crate) mod on_demand;
pub(crate) mod segment_dropper;
pub(crate) mod triggers;
