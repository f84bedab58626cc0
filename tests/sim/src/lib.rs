//! A whole node in one process and on one thread, and everything that goes wrong around it, from one
//! seed.
//!
//! ```text
//!   World                     survives: modelled disk, store, ledger, late commands
//!     │ one life after another, each on a runtime with virtual time
//!     ▼
//!   incarnation ──▶ Node      catalog, log, buffer, persist, queries: the real crates
//!     │               ▲ writes by the routes, reads by the engine, judged by the ledger
//!     ├─ writers, readers, an operator
//!     ├─ pool         persist jobs that panic, and are tried again or set aside
//!     ├─ threads      the log's and the catalog's: steps in an order that the seed draws
//!     ├─ weather      clock jumps, full disk, EIO, outages
//!     ├─ rot          a bit of the log, the catalog or an object that changes, to be found out
//!     ├─ store        503, lost replies, truncated and late puts
//!     └─ catalog      lost replies, repeated, late and undead commands
//! ```
//!
//! A life ends by a crash, at any time or beside a request, at a call of the disk, by a failed sync
//! or in good order; then the disk forgets what it may forget. In the last life nothing goes wrong,
//! and everything is judged.
//!
//! The same seed gives the same trace: nothing is drawn, timed or ordered but by the seed. What is
//! slow in virtual time takes no time.

mod catalog;
mod chance;
mod client;
mod clock;
mod files;
mod incarnation;
mod invariants;
mod judgement;
mod moment;
mod node;
mod operator;
mod panics;
mod plan;
mod pool;
mod reader;
mod rot;
mod store;
mod threads;
mod trace;
mod verdict;
mod vitals;
mod weather;
mod world;
mod writer;

pub use verdict::{Kind, Outcome, Violation};

use std::mem;

use incarnation::Script;
use plan::Life;
use world::World;

/// Before one life in so many there is one over rot in another place than the end of the log. It costs
/// a start and some reads.
const ROT_ONCE_IN: u64 = 5;

/// Lives through `seed`, and judges it. `echo` prints the trace to standard output.
pub fn run(seed: u64, echo: bool) -> Outcome {
    let mut world = World::new(seed, echo);
    for _ in 0..world.plan.lives {
        if world.chance.one_in(3)
            && let Some(rot) = rot::strike(&world)
        {
            incarnation::live(&mut world, &Script::Rot(rot));
        }
        rot_elsewhere(&mut world);
        let life = Life::draw(&world.chance.fork(), &world.jobs.fork());
        if !world.findings.any() {
            incarnation::live(&mut world, &Script::Life(life));
        }
        if world.findings.any() {
            return world.outcome();
        }
    }
    incarnation::live(&mut world, &Script::Judgement);
    if !judgement::was_reached(&world) {
        world.findings.report(Kind::Stuck, &"the judgement did not come to its end");
    }
    world.outcome()
}

/// Now and then a life over rot in another place than the end of the log.
fn rot_elsewhere(world: &mut World) {
    if world.findings.any() || !world.decay.one_in(ROT_ONCE_IN) {
        return;
    }
    // It has draws of its own, so that the lives after it are drawn as without it.
    let usual = mem::replace(&mut world.chance, world.decay.fork());
    if let Some(rot) = rot::strike_elsewhere(world) {
        incarnation::live(world, &Script::Rot(rot));
    }
    world.chance = usual;
}

/// The command that replays a seed.
pub fn replay_command(seed: u64) -> String {
    format!("cargo run -p sim -- run --seed {seed} --trace")
}

/// The line for `seeds.txt` that keeps a seed that has failed.
pub fn line_to_keep(seed: u64, violation: &Violation) -> String {
    let what = violation.to_string();
    format!("{seed} # {}", what.lines().next().unwrap_or_default())
}
