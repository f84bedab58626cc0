//! The evidence: each scenario of `torture` on a release build, and the page that tells of it.
//!
//! Reports stay in `target/evidence`, one file a scenario. Whatever else puts a report there, one
//! line of JSON with its name under `scenario`, is on the page too.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::program;
use crate::test::{cargo, root, target_dir};

/// How long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Hours: what is published.
    Long,
    /// Minutes: whether it runs at all.
    Quick,
}

/// A scenario with its arguments in each lane.
struct Step {
    scenario: &'static str,
    long: &'static [&'static str],
    quick: &'static [&'static str],
}

const STEPS: [Step; 12] = [
    Step { scenario: "kills", long: &["--rounds", "1000"], quick: &["--rounds", "50"] },
    Step { scenario: "power", long: &["--rounds", "500"], quick: &["--rounds", "20"] },
    Step { scenario: "eio", long: &["--rounds", "200"], quick: &["--rounds", "20"] },
    Step { scenario: "slow-disk", long: &["--seconds", "20"], quick: &["--seconds", "3"] },
    Step { scenario: "full-disk", long: &["--rounds", "40"], quick: &["--rounds", "4"] },
    Step { scenario: "pause", long: &["--rounds", "20"], quick: &["--rounds", "2"] },
    Step { scenario: "rot", long: &["--rounds", "400"], quick: &["--rounds", "20"] },
    Step { scenario: "memory", long: &[], quick: &["--databases", "3"] },
    Step { scenario: "overload", long: &["--seconds", "60"], quick: &["--seconds", "6"] },
    Step { scenario: "outage", long: &["--minutes", "5"], quick: &["--minutes", "0.2"] },
    Step { scenario: "recovery", long: &["--size-mib", "1024"], quick: &["--size-mib", "64"] },
    Step { scenario: "fsync", long: &["--seconds", "20"], quick: &["--seconds", "3"] },
];

/// Builds, runs all scenarios and writes the page; then says which were not clean.
pub(crate) fn run(lane: Lane) -> Result<(), Error> {
    // In one build, so that the server has the named points that the kills ask for.
    program::run(cargo().args(["build", "--release", "-p", "server", "-p", "torture"]))?;
    let torture = target_dir().join("release").join("torture");
    let reports = target_dir().join("evidence");
    fs::create_dir_all(&reports).map_err(unwritten(&reports))?;
    let mut broken = Vec::new();
    for step in &STEPS {
        if !run_step(step, lane, &torture, &reports)? {
            broken.push(step.scenario);
        }
    }
    write_page(lane, &torture, &reports)?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Broken { scenarios: broken.join(", ") })
}

/// Runs one scenario. True if no promise was broken.
fn run_step(step: &Step, lane: Lane, torture: &Path, reports: &Path) -> Result<bool, Error> {
    let path = reports.join(format!("{}.json", step.scenario));
    let report = File::create(&path).map_err(unwritten(&path))?;
    let arguments = if lane == Lane::Long { step.long } else { step.quick };
    let mut command = Command::new(torture);
    command.arg(step.scenario).args(arguments).stdout(report);
    let clean = program::status(&mut command)?.success();
    let is_empty = fs::metadata(&path).map_or(true, |report| report.len() == 0);
    if is_empty {
        // It could not be run to its end; the page says so by what is missing.
        fs::remove_file(&path).map_err(unwritten(&path))?;
    }
    Ok(clean)
}

/// Only the long lane changes what is published.
fn write_page(lane: Lane, torture: &Path, reports: &Path) -> Result<(), Error> {
    let page = match lane {
        Lane::Long => root().join("docs").join("evidence.md"),
        Lane::Quick => reports.join("evidence.md"),
    };
    let mut command = Command::new(torture);
    command.current_dir(root()).arg("evidence").arg("--from").arg(reports);
    command.arg("--into").arg(page);
    let record = root().join("docs").join("track-record.md");
    if record.exists() {
        command.arg("--append").arg(record);
    }
    program::run(&mut command)
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    |reason| Error::Write { path, reason }
}
