//! The running log: handles that queue, one thread that writes.
//!
//! ```text
//!   request tasks          handle                 log's thread                      spare's thread
//!   Body::encode ──▶ append(Append<T>) ──▶ queue ──▶ Worker::step                  spare.tmp: zeros,
//!                    reserve ─▶ Room         │        ├─ gather a group             header, fsync
//!                                            │        ├─ one write, one fdatasync       │
//!   rotate, close ───────────────────────────┘        ├─ observer.committed(group)      │
//!                                                     └─ rotate: seal, take ◀───────────┘
//! ```
//!
//! There is no timer in the way of a group: a thread that is idle writes at once, and what arrives
//! while it waits for the disk is the next group.

mod append;
mod ballast;
mod handle;
mod observer;
mod open_segment;
mod queue;
mod room;
mod segments;
mod spare;
mod state;
mod thread;
mod worker;
mod writer;

#[cfg(test)]
mod tests;

pub use append::Append;
pub use handle::LogHandle;
pub use observer::{CommitObserver, CommittedFrame, Group};
pub use room::Space;
pub use state::LogState;

pub(crate) use ballast::BALLAST_NAME;
pub(crate) use spare::SPARE_NAME;
pub(crate) use thread::{Origin, start};
#[cfg(test)]
pub(crate) use {
    queue::Request,
    thread::{Running, assemble},
    worker::Worker,
};
