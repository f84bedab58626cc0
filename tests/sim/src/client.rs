//! What every client of a node has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use checker::Ledger;

use crate::chance::Chance;
use crate::moment::Moment;
use crate::node::Node;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::verdict::Findings;
use crate::vitals::Vitals;

/// One client of one life.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its number, which no other client of its kind has.
    pub(crate) number: u64,
    pub(crate) node: Arc<Node>,
    pub(crate) ledger: Ledger,
    pub(crate) chance: Chance,
    pub(crate) plan: Arc<Plan>,
    pub(crate) trace: Trace,
    pub(crate) findings: Findings,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) moment: Arc<Moment>,
    /// True once clients shall come to an end.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Client {
    /// True if this client shall begin nothing more.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.findings.any()
    }

    /// The name of a table.
    pub(crate) fn table(&self) -> String {
        table_name(self.chance.below(self.plan.tables))
    }
}

/// The name of the table with this number.
pub(crate) fn table_name(number: u64) -> String {
    format!("t{number}")
}
