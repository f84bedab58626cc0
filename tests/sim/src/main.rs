//! `sim`: runs seeds of the simulation.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::json;
use sim::{Outcome, replay_command};
use types::fault::{self, Switch};

/// A whole node under all kinds of faults, from a seed.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One seed.
    Run(Run),
    /// Many seeds; prints the totals as a line of JSON.
    Seeds(Seeds),
}

#[derive(Debug, Args)]
struct Run {
    /// Which.
    #[arg(long)]
    seed: u64,
    /// Print all that happens.
    #[arg(long)]
    trace: bool,
    /// A planted bug, as `bug:NAME`.
    #[arg(long)]
    fault: Option<Switch>,
}

#[derive(Debug, Args)]
struct Seeds {
    /// The first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many.
    #[arg(long, default_value_t = 200)]
    count: u64,
    /// A planted bug, as `bug:NAME`.
    #[arg(long)]
    fault: Option<Switch>,
    /// Stop at the first seed that fails.
    #[arg(long)]
    stop_at_first: bool,
}

/// What many seeds come to.
#[derive(Debug, Default)]
struct Totals {
    seeds: u64,
    lived: Duration,
    counts: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
    failed: Vec<u64>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.lived += outcome.lived;
        for (into, from) in
            [(&mut self.counts, &outcome.counts), (&mut self.faults, &outcome.faults)]
        {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
        if outcome.violation.is_some() {
            self.failed.push(outcome.seed);
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let cli = Cli::parse();
    let (Command::Run(Run { fault, .. }) | Command::Seeds(Seeds { fault, .. })) = &cli.command;
    if let Some(switch) = fault {
        fault::set(*switch).map_err(io::Error::other)?;
    }
    match cli.command {
        Command::Run(run) => one(&run),
        Command::Seeds(seeds) => many(&seeds),
    }
}

fn one(run: &Run) -> io::Result<ExitCode> {
    let outcome = sim::run(run.seed, run.trace);
    let mut out = io::stdout().lock();
    writeln!(out, "seed {}, trace {:016x}", outcome.seed, outcome.trace_hash)?;
    writeln!(out, "{:.1} s of virtual time", outcome.lived.as_secs_f64())?;
    for (name, count) in outcome.counts.iter().chain(&outcome.faults) {
        writeln!(out, "{count:>8} {name}")?;
    }
    verdict(&mut out, &outcome)?;
    Ok(code(outcome.violation.is_none()))
}

fn many(seeds: &Seeds) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut totals = Totals::default();
    for seed in seeds.from..seeds.from.saturating_add(seeds.count) {
        let outcome = sim::run(seed, false);
        totals.add(&outcome);
        if outcome.violation.is_some() {
            verdict(&mut out, &outcome)?;
            if seeds.stop_at_first {
                break;
            }
        }
    }
    let Totals { seeds, lived, counts, faults, failed } = totals;
    let line = json!({
        "seeds": seeds,
        "virtual_seconds": lived.as_secs(),
        "counts": counts,
        "faults": faults,
        "failed": failed,
    });
    writeln!(out, "{line}")?;
    Ok(code(failed.is_empty()))
}

fn verdict(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    match &outcome.violation {
        None => writeln!(out, "nothing was lost"),
        Some(violation) => {
            writeln!(out, "seed {} fails: {violation}", outcome.seed)?;
            writeln!(out, "replay it: {}", replay_command(outcome.seed))
        }
    }
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
