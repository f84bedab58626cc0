//! The ingester: from a parsed write to durable, visible rows, and from those to files.
//!
//! ```text
//!   Write ─▶ Admission ─▶ WalSink ──append──▶ log's thread: fsync ─▶ Publisher ─▶ BufferTree
//!                │          │ new columns           │ sealed             │ LSNs       │ hot
//!              memory    catalog                    ▼                    ▼            ▼
//!              budget                         SegmentDropper ◀──── WalTracker    PersistDriver
//!                                                   ▲                                 │
//!                                                   └──────── Completion ◀── persist ─┘
//! ```
//!
//! * A write is answered after its fsync **and** after its publication, so it is visible to each
//!   query that begins later.
//! * The buffer holds rows until they are in a committed file, and as long as a running query of an
//!   older catalog version needs them.
//! * The log keeps a segment until each batch in it is in a committed file.
//! * A start reads back what the log holds and no file has.
//!
//! Others see one trait, [`Ingester`]; [`start`] makes one.

mod buffer_tree;
mod config;
mod dml_sink;
mod error;
mod ingester;
mod metrics;
mod node;
mod persisting;
mod published;
mod publisher;
mod replay;
mod retry_after;
mod schema_commit;
mod state;
mod wal_appender;
mod wal_tracker;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use error::Error;
pub use ingester::{Drained, Ingester};
pub use node::{Deps, start};
pub use state::{Phase, ReplayProgress};
