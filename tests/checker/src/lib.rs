//! The one checker of all tests that hurt the server: nothing acknowledged is lost.
//!
//! Clients tell a [`Ledger`] what they send and how it ended; readers tell it what they see; and it
//! says what is wrong with that. It does not know how the server was hurt, nor how it was read.
//!
//! ```text
//!   client ── invoke ▶ send ▶ end ──────┐
//!   harness ── crashed ─────────────────┤
//!                                       ▼
//!   reader ── begin_read ▶ read ▶ ┌──────────┐     ┌─────────┐
//!             judge ─────────────▶│  Ledger  │────▶│ Verdict │
//!                                 └──────────┘     └─────────┘
//! ```
//!
//! # What it wants
//!
//! Each field of each point is a register: last write wins, field by field. A value is written by
//! one request, so whoever sees the value knows the request. A logical clock numbers every begin
//! and end, and a register is right if all that was done with it could have been done in one order:
//! no value is *before* another one and that one before it.
//!
//! ```text
//!   u is before v, if something that shows u to have been written has ended
//!   before something begins that writes v or that reads v
//!
//!   ├ write u ┤                    ├ read u ┤       u before v, and v before u:
//!                  ├ write v ┤                      the read is stale
//! ```
//!
//! *Nothing* is the value that a register has at first. From this follow:
//!
//! * acked ⊆ present ⊆ acked + unknown;
//! * the newest of what was acknowledged wins, of what was under way at once any may;
//! * what was seen once is not taken back, by no crash either;
//! * what a crash left undone stays undone: it does not come back when it was once missing.
//!
//! Besides, a point is in an answer once; and of a request that a crash has ended all is there or
//! nothing. (While it is under way a reader may meet a part of it: partitions are published one
//! after the other.)
//!
//! # What it costs
//!
//! A view of n rows is judged in O(n log n) while histories are clean: a register keeps what settled
//! it in the order of time, with the latest begin so far, and only what was under way at once is
//! ever looked at twice.

mod event;
mod history;
mod journal;
mod judge;
mod ledger;
pub mod read;
mod row;
#[cfg(test)]
mod tests;
mod verdict;

pub use event::Outcome;
pub use ledger::{Counts, Ledger, Op, Read};
pub use row::{Row, line_protocol};
pub use verdict::{Fault, Place, Scope, Verdict, View, Why};
