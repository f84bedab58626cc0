//! `sim`: runs seeds of the simulation.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use sim::{Outcome, Violation, line_to_keep, replay_command};
use types::fault::{self, Bug, Switch};

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
    /// The bugs that can be planted, each with its mistake, as a line of JSON.
    Bugs,
}

#[derive(Debug, Args)]
struct Run {
    /// Which.
    #[arg(long)]
    seed: u64,
    /// Print all that happens.
    #[arg(long)]
    trace: bool,
    /// Live through it so many times before: each time should be the same as the first.
    #[arg(long, default_value_t = 0)]
    after: u32,
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

/// What the checker counts in the first line of a verdict: `<count> <word>`.
const JUDGED: [&str; 3] = ["lost", "phantom", "double"];

/// What many seeds come to.
#[derive(Debug, Default)]
struct Totals {
    seeds: u64,
    lived: Duration,
    counts: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
    judged: BTreeMap<&'static str, u64>,
    failed: Vec<Value>,
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
        if let Some(violation) = &outcome.violation {
            self.fail(outcome.seed, violation);
        }
    }

    fn fail(&mut self, seed: u64, violation: &Violation) {
        for word in JUDGED {
            *self.judged.entry(word).or_default() += told(&violation.what, word);
        }
        let kind = format!("{:?}", violation.kind).to_lowercase();
        let what = violation.what.lines().next().unwrap_or_default();
        self.failed.push(json!({"seed": seed, "kind": kind, "what": what}));
    }

    fn line(self) -> Value {
        let Self { seeds, lived, counts, faults, judged, failed } = self;
        let mut line = json!({
            "scenario": "sim",
            "clean": failed.is_empty(),
            "seeds": seeds,
            "virtual_seconds": lived.as_secs(),
            "counts": counts,
            "faults": faults,
            "failed": failed,
        });
        for word in JUDGED {
            line[word] = judged.get(word).copied().unwrap_or_default().into();
        }
        line
    }
}

/// The count in front of `word` where a verdict has one.
fn told(verdict: &str, word: &str) -> u64 {
    let first = verdict.lines().next().unwrap_or_default();
    let words: Vec<_> = first.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let counts = words.windows(2).filter(|pair| pair[1] == word);
    counts.filter_map(|pair| pair[0].parse::<u64>().ok()).sum()
}

fn main() -> io::Result<ExitCode> {
    let cli = Cli::parse();
    let fault = match &cli.command {
        Command::Run(Run { fault, .. }) | Command::Seeds(Seeds { fault, .. }) => *fault,
        Command::Bugs => None,
    };
    if let Some(switch) = fault {
        fault::set(switch).map_err(io::Error::other)?;
    }
    match cli.command {
        Command::Run(run) => one(&run),
        Command::Seeds(seeds) => many(&seeds),
        Command::Bugs => bugs(),
    }
}

fn bugs() -> io::Result<ExitCode> {
    let entry = |bug: Bug| json!({"name": bug.name(), "mistake": bug.mistake()});
    let line = json!({"bugs": Bug::ALL.map(entry)});
    writeln!(io::stdout(), "{line}")?;
    Ok(ExitCode::SUCCESS)
}

fn one(run: &Run) -> io::Result<ExitCode> {
    for _ in 0..run.after {
        sim::run(run.seed, false);
    }
    let outcome = sim::run(run.seed, run.trace);
    let mut out = io::stdout().lock();
    writeln!(out, "seed {}, trace {:016x}", outcome.seed, outcome.trace_hash)?;
    writeln!(out, "{:.1} s of virtual time", outcome.lived.as_secs_f64())?;
    for (name, count) in outcome.counts.iter().chain(&outcome.faults) {
        writeln!(out, "{count:>8} {name}")?;
    }
    verdict(&mut out, &outcome, run.fault)?;
    Ok(code(outcome.violation.is_none()))
}

fn many(seeds: &Seeds) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut totals = Totals::default();
    for seed in seeds.from..seeds.from.saturating_add(seeds.count) {
        let outcome = sim::run(seed, false);
        totals.add(&outcome);
        if outcome.violation.is_some() {
            verdict(&mut out, &outcome, seeds.fault)?;
            if seeds.stop_at_first {
                break;
            }
        }
    }
    let clean = totals.failed.is_empty();
    writeln!(out, "{}", totals.line())?;
    Ok(code(clean))
}

fn verdict(out: &mut impl Write, outcome: &Outcome, fault: Option<Switch>) -> io::Result<()> {
    let Some(violation) = &outcome.violation else {
        return writeln!(out, "nothing was lost");
    };
    let replay = replay_command(outcome.seed);
    writeln!(out, "seed {} fails: {violation}", outcome.seed)?;
    match fault {
        None => {
            writeln!(out, "replay it: {replay}")?;
            writeln!(
                out,
                "keep it in tests/sim/seeds.txt: {}",
                line_to_keep(outcome.seed, violation)
            )
        }
        Some(Switch::Plant(bug)) => {
            writeln!(out, "replay it: {replay} --fault bug:{}", bug.name())
        }
        Some(Switch::End { point, count }) => {
            writeln!(out, "replay it: {replay} --fault end:{}:{count}", point.name())
        }
    }
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_off_the_first_line_of_a_verdict() {
        let verdict = "after the last start: 3 lost, 0 phantom, 12 double\n  9 lost";
        assert_eq!(JUDGED.map(|word| told(verdict, word)), [3, 0, 12]);
        assert_eq!(told("a log starts that has rot", "lost"), 0);
    }
}
