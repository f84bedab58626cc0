//! Seeds of the simulation: clean ones, the same twice, stored ones, and each planted bug.

mod clean;
mod determinism;
mod planted;
mod stored;

use sim::{Outcome, line_to_keep, replay_command};

/// Wants nothing to be wrong with a seed.
fn check_clean(seed: u64) -> Outcome {
    let outcome = sim::run(seed, false);
    if let Some(violation) = &outcome.violation {
        let (replay, line) = (replay_command(seed), line_to_keep(seed, violation));
        panic!("seed {seed}: {violation}\nreplay it: {replay}\nkeep it in seeds.txt: {line}");
    }
    outcome
}
