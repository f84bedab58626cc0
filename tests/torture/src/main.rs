//! The binary `torture`: runs one scenario, prints its counts as one line of JSON.

#![allow(clippy::disallowed_methods, reason = "real processes, whose effects nobody passes in")]

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use torture::report::Report;
use torture::scenario::{
    eio, fsync, full_disk, kills, memory, outage, overload, pause, power, recovery, rot, slow_disk,
};
use torture::{Error, Settings, evidence};

/// Hurts a real server and looks whether it kept what it promised
///
/// Needs root, loop devices, strace and Python 3. Counts go to standard output as one line of JSON;
/// the exit code is 1 if a promise was broken, and the data directory is kept then.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Cli {
    #[command(flatten)]
    settings: Settings,

    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// kill -9 at any moment, and at named points
    Kills(kills::Options),
    /// The file system is shut down as by a power cut
    Power(power::Options),
    /// A sync fails once
    Eio(eio::Options),
    /// Each sync takes its time
    SlowDisk(slow_disk::Options),
    /// The disk is full, by writes or by others
    FullDisk(full_disk::Options),
    /// The process is stopped for seconds
    Pause(pause::Options),
    /// Bits flip while no server runs
    Rot(rot::Options),
    /// Ten loads at once in a small cgroup
    Memory(memory::Options),
    /// Twice the rate that it can take
    Overload(overload::Options),
    /// No object store, or no catalog, for minutes
    Outage(outage::Options),
    /// A large log to read after a kill
    Recovery(recovery::Options),
    /// The log's syncs beside a raw loop
    Fsync(fsync::Options),
    /// Puts the reports of all scenarios into one page
    Evidence(evidence::Options),
}

fn main() -> ExitCode {
    let Cli { settings, scenario } = Cli::parse();
    let clean = settings.sweep().and_then(|()| run(&settings, &scenario));
    match clean {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nobody left to hear that standard error cannot be written.
            let _ = writeln!(io::stderr(), "torture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings, scenario: &Scenario) -> Result<bool, Error> {
    match scenario {
        Scenario::Kills(options) => finish(&kills::run(settings, options)?),
        Scenario::Power(options) => finish(&power::run(settings, options)?),
        Scenario::Eio(options) => finish(&eio::run(settings, options)?),
        Scenario::SlowDisk(options) => finish(&slow_disk::run(settings, options)?),
        Scenario::FullDisk(options) => finish(&full_disk::run(settings, options)?),
        Scenario::Pause(options) => finish(&pause::run(settings, options)?),
        Scenario::Rot(options) => finish(&rot::run(settings, options)?),
        Scenario::Memory(options) => finish(&memory::run(settings, options)?),
        Scenario::Overload(options) => finish(&overload::run(settings, options)?),
        Scenario::Outage(options) => finish(&outage::run(settings, options)?),
        Scenario::Recovery(options) => finish(&recovery::run(settings, options)?),
        Scenario::Fsync(options) => finish(&fsync::run(settings, options)?),
        Scenario::Evidence(options) => evidence::run(settings, options).map(|()| true),
    }
}

/// Prints the report. True if no promise was broken.
fn finish(report: &impl Report) -> Result<bool, Error> {
    report.print()?;
    Ok(report.is_clean())
}
