//! The chain that a write goes through: each concern is a decorator around the next.
//!
//! ```text
//!   Admission ──▶ WalSink ┄┄ after the fsync, in LSN order ┄┄▶ Publisher ──▶ BufferTree
//!   state, room   encode, reserve log space,
//!                 commit new columns, append
//! ```

pub(crate) mod admission;
pub(crate) mod wal_sink;
