//! What a view should hold, what it holds, and what is wrong with it.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::ledger::Op;
use crate::row::Row;

/// Faults that are told one by one; the rest is counted.
const TOLD_MAX: usize = 20;

/// What a view should hold: a whole table, or one series of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The table.
    pub table: String,
    /// The series, unless it is all of them.
    pub series: Option<String>,
}

impl Scope {
    /// A whole table.
    pub fn table(table: impl Into<String>) -> Self {
        Self { table: table.into(), series: None }
    }

    /// True if `row` belongs to it.
    pub(crate) fn has(&self, row: &Row) -> bool {
        self.table == row.table && self.series.as_ref().is_none_or(|series| *series == row.series)
    }
}

/// The rows of an answer, as they came (a key that came twice is there twice).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The rows, in any order.
    pub rows: Vec<Row>,
}

/// Where something is wrong: a field of a point, or the whole point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The table.
    pub table: String,
    /// The series.
    pub series: String,
    /// Nanoseconds.
    pub time: i64,
    /// The field, unless it is about the point.
    pub field: Option<String>,
}

/// Why a value should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No request wrote it there.
    NeverSent,
    /// Only requests wrote it that were rejected.
    Rejected,
    /// The server crashed before it was visible, and after that crash it was not there.
    Resurrected,
    /// It does not belong to what was asked for.
    NotAsked,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A write was acknowledged, and there is nothing.
    Lost {
        /// Where.
        place: Place,
        /// The value that was acknowledged.
        value: i64,
    },
    /// Something is there that must not be.
    Phantom {
        /// Where.
        place: Place,
        /// The value; a row may come without any.
        value: Option<i64>,
        /// Why it must not.
        why: Why,
    },
    /// A point is there more than once.
    Double {
        /// Where.
        place: Place,
    },
    /// A request is there in part, though it can no longer be under way.
    Torn {
        /// Where it is missing.
        place: Place,
        /// A request that wrote it.
        op: Op,
        /// The value that is missing.
        value: i64,
    },
    /// An older value is there though a newer one was acknowledged.
    Stale {
        /// Where.
        place: Place,
        /// The value that is there.
        seen: i64,
        /// The value that was acknowledged.
        newer: i64,
    },
    /// What an earlier read saw is gone.
    Regressed {
        /// Where.
        place: Place,
        /// The value that is there now.
        seen: Option<i64>,
        /// The value that was there.
        before: i64,
    },
}

/// Everything that is wrong; empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The faults, in the order of keys.
    pub faults: Vec<Fault>,
}

impl Verdict {
    /// True if nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// Values that should be there and are not: lost, torn, stale and regressed ones.
    pub fn lost(&self) -> usize {
        self.faults.len() - self.phantom() - self.double()
    }

    /// Values that should not be there.
    pub fn phantom(&self) -> usize {
        self.faults.iter().filter(|fault| matches!(fault, Fault::Phantom { .. })).count()
    }

    /// Points that are there more than once, counted by the times that are too many.
    pub fn double(&self) -> usize {
        self.faults.iter().filter(|fault| matches!(fault, Fault::Double { .. })).count()
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("clean");
        }
        let (lost, phantom, double) = (self.lost(), self.phantom(), self.double());
        write!(f, "{lost} lost, {phantom} phantom, {double} double")?;
        for fault in self.faults.iter().take(TOLD_MAX) {
            write!(f, "\n  {fault}")?;
        }
        match self.faults.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { place, value } => {
                write!(f, "lost: {place}: {value} was acknowledged, and there is nothing")
            }
            Self::Phantom { place, value, why } => {
                write!(f, "phantom: {place}: {} {why}", Told(*value))
            }
            Self::Double { place } => write!(f, "double: {place}"),
            Self::Torn { place, op, value } => {
                write!(f, "torn: {place}: {value} is missing of {op}, which is there in part")
            }
            Self::Stale { place, seen, newer } => {
                write!(f, "stale: {place}: {seen} is there, {newer} was acknowledged after it")
            }
            Self::Regressed { place, seen, before } => {
                write!(f, "regressed: {place}: {} is there, {before} was before", Told(*seen))
            }
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{},series={} at {}", self.table, self.series, self.time)?;
        self.field.iter().try_for_each(|field| write!(f, " {field}"))
    }
}

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverSent => "was never sent there",
            Self::Rejected => "was rejected",
            Self::Resurrected => "was missing after the crash that ended its request",
            Self::NotAsked => "was not asked for",
        })
    }
}

/// A value, or nothing.
struct Told(Option<i64>);

impl Display for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}
