//! The catalog: databases, tables, columns, partitions with their sort keys, files, and logs.
//!
//! ```text
//!   CatalogWrite::apply(Command) ──▶ queue ──▶ worker: judge each command against the newest root
//!                                                │     append the accepted ones as one frame
//!                                                │     once it is durable: publish the new root
//!   CatalogRead::snapshot() ◀── Arc<Snapshot> ◀──┘     answer
//! ```
//!
//! * [`Snapshot`] is an immutable root; holding its `Arc` is holding one version;
//! * [`Snapshot::apply`] is the one deterministic state machine: no I/O, no clock, no chance;
//! * [`EmbeddedCatalog`] puts it behind one log of the `wal` crate, with snapshots on disk;
//! * `MemoryCatalog` (feature `testing`) is the same machine without a log, with faults to inject;
//! * `conformance` (feature `conformance`) has the behaviours that every implementation shows.

mod checksums;
mod command;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod damage;
mod embedded;
mod error;
mod file;
#[cfg(test)]
mod golden;
mod log_entry;
mod machine;
#[cfg(feature = "testing")]
mod memory;
mod published;
mod read;
mod record;
mod requests;
mod snapshot;
mod snapshot_dir;
mod snapshot_file;
mod stored;
mod table;
mod write;

pub use checksums::{BLOCK_BYTES, BlockChecksums};
pub use command::{Action, AddFile, Command, SortKeyChange};
pub use config::{Config, Limits};
pub use damage::{Damage, Place};
pub use embedded::EmbeddedCatalog;
pub use error::{Error, Limit};
pub use file::{File, FileKind, NewFile};
pub use log_entry::LogEntry;
pub use machine::Effect;
#[cfg(feature = "testing")]
pub use memory::MemoryCatalog;
pub use read::CatalogRead;
pub use snapshot::Snapshot;
pub use table::{Database, Partition, Table};
pub use write::{CatalogWrite, Committed};
