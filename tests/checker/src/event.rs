//! What happens to a ledger, as it is applied and as it is kept.

use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::verdict::Scope;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was acknowledged: all of it is there.
    Acked,
    /// It was refused: nothing of it is there.
    Rejected,
    /// No answer, or one that tells nothing: all of it or nothing.
    Unknown,
}

/// What a read found in one field of one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Found {
    /// No value.
    Nothing,
    /// The value of the register's write with this number.
    Write(u32),
    /// Something that is a fault: nothing follows from it.
    Fault,
}

/// An event; `at` is its number on the logical clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// A request is about to be sent.
    Invoke { at: u64, op: u64, rows: Vec<Row> },
    /// A request has ended.
    End { at: u64, op: u64, outcome: Outcome },
    /// The server is dead.
    Crash { at: u64 },
    /// A read that began at `begin` has found in the registers of its scope what the read before
    /// it found, except for `changes`.
    Read { begin: u64, at: u64, scope: Scope, changes: Vec<(u32, Found)> },
}
