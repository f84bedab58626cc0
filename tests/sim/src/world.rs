//! What outlives a node: its disk, the store, what clients know, and what is still on its way.

use std::time::Duration;

use checker::Ledger;
use wal::disk::ModelDisk;

use crate::catalog::Zombies;
use crate::chance::Chance;
use crate::plan::{FIRST_DAY_NS, Plan};
use crate::store::SimStore;
use crate::trace::Trace;
use crate::verdict::{Findings, Outcome};

/// The world of one seed.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    /// What befalls persist jobs.
    pub(crate) jobs: Chance,
    /// Rot in other places than the end of the log.
    pub(crate) decay: Chance,
    pub(crate) trace: Trace,
    pub(crate) findings: Findings,
    pub(crate) disk: ModelDisk,
    pub(crate) store: SimStore,
    pub(crate) ledger: Ledger,
    pub(crate) zombies: Zombies,
    /// What the wall clock shows.
    pub(crate) wall_ns: i64,
    /// The time that all lives took.
    pub(crate) lived: Duration,
}

impl World {
    /// The world as `seed` makes it; `echo` prints its trace.
    pub(crate) fn new(seed: u64, echo: bool) -> Self {
        let chance = Chance::of(seed);
        let trace = Trace::new(echo);
        let jobs = Chance::of_matter(seed, "jobs");
        let plan = Plan::draw(&chance.fork(), &jobs);
        trace.event(format_args!("seed {seed}: {plan:?}"));
        let disk = ModelDisk::new(chance.fork().below(u64::MAX));
        disk.set_partial_calls(plan.partial_calls);
        Self {
            seed,
            plan,
            findings: Findings::new(&trace),
            store: SimStore::new(chance.fork(), &trace),
            trace,
            disk,
            ledger: Ledger::in_memory(),
            zombies: Zombies::default(),
            jobs,
            decay: Chance::of_matter(seed, "decay"),
            wall_ns: FIRST_DAY_NS,
            lived: Duration::ZERO,
            chance,
        }
    }

    /// What has become of the seed.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut counts = self.trace.counts();
        let of = |name: &str| counts.get(name).copied().unwrap_or(0);
        let ended = of("requests acknowledged")
            + of("requests refused")
            + of("requests with unknown outcome");
        let cut_off = of("requests").saturating_sub(ended);
        counts.insert("requests cut off by a crash", cut_off);
        Outcome {
            seed: self.seed,
            trace_hash: self.trace.hash(),
            counts,
            faults: self.trace.faults(),
            lived: self.lived,
            violation: self.findings.first(),
        }
    }
}
