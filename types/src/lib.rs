//! The words of Forebay as types: ids, LSNs, schemas, partition keys, the series-coded batch, and
//! the seams between the crates.
//!
//! This crate does no I/O and knows no runtime. Everything above it meets here:
//!
//! ```text
//!   router ──▶ DmlSink ──▶ (ingester) ──▶ Publish ──▶ (buffer tree) ──▶ QueryExec ◀── query
//!      │           Write: one request, parsed, checked, partitioned        │
//!      └── MemoryGate: bytes are reserved before a body is read            └── Chunk: immutable data
//!                                                                               with its LSN range
//! ```
//!
//! * [`batch`] holds the one form in which rows exist from the parser to the Parquet file;
//! * [`schema`] says what a table's columns are, and what a write wants to add;
//! * [`seam`] has the small traits by which the crates see each other;
//! * [`effect`] has the clock, the disk, chance, threads and pools, which are always passed in;
//! * [`fault`] has the faults that tests can switch on.

pub mod batch;
pub mod effect;
pub mod error;
pub mod fault;
pub mod id;
pub mod lsn;
pub mod memory;
pub mod name;
pub mod partition;
pub mod position;
pub mod schema;
pub mod seam;
pub mod sort_key;
pub mod write;

pub use batch::{Batch, BatchBuilder, Chunk};
pub use error::ErrorKind;
pub use id::{
    BatchId, CatalogVersion, DatabaseId, Epoch, FileId, LogId, PartitionId, RequestId,
    SchemaVersion, SegmentSeq, TableId, Term,
};
pub use lsn::{Lsn, LsnRange};
pub use memory::{MemoryBudget, MemoryOwner, Reservation, SharedReservation, WeakReservation};
pub use name::{ColumnName, DatabaseName, NameError, TableName};
pub use partition::PartitionKey;
pub use position::Position;
pub use schema::{
    ColumnDef, ColumnKind, DatabaseRef, FieldType, SchemaChange, TableRef, TableSchema,
};
pub use sort_key::SortKey;
pub use write::{PartitionBatch, Write};
