//! The chain that a write goes through: each concern is a decorator around the next.
//!
//! ```text
//!   Admission ─▶ PartitionLimit ─▶ WalSink ┄ after the fsync, in LSN order ┄▶ Publisher ─▶ BufferTree
//!   state                          hold memory, encode, reserve log space,
//!                                  commit new columns, append
//! ```

pub(crate) mod admission;
pub(crate) mod partition_limit;
pub(crate) mod wal_sink;
