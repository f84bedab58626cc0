//! Tells a torn tail from corruption.
//!
//! The writer has at most one group outstanding: it begins the next only when the fdatasync of the
//! one before has returned. So a crash can damage the last group alone, and anything that was
//! written later proves that a damaged byte was durable once. [`classify()`] is a pure function of
//! the bytes and of what the catalog vouches for:
//!
//! ```text
//!   frame  frame  ▒▒▒▒▒  ?????          at the first bad frame, where LSN s was expected:
//!                 │      │
//!                 │      ├─ a frame that knows of a durable LSN >= s          ─▶ Corrupt
//!                 │      ├─ a frame that begins with s: the bad one was a seal ─▶ Corrupt
//!                 │      ├─ a later segment: it got its name after a sync      ─▶ Corrupt
//!                 │      └─ the catalog vouches for an LSN >= s                ─▶ Corrupt
//!                 └─ otherwise the rest of a group that nobody was told of     ─▶ TornTail
//! ```
//!
//! Zeros, and files without frames, are an end only where no begun segment stands behind: before
//! the next one gets its name, a segment is sealed, or cut off behind its last frame.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod verdict;
mod walk;

#[cfg(test)]
mod tests;

pub use verdict::{Flaw, Place, Verdict, Voucher, Why};
pub use walk::{Classified, Image, classify};
