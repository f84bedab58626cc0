//! The evidence: everything that hurts this program, run one after the other, and the page that
//! tells of it.
//!
//! Reports are files of the directory of a commit, so that a run which was broken off goes on where
//! it was. `torture evidence` makes the page of what is there.

mod job;
mod plan;
mod reports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::program;
use crate::test::{cargo, install_nextest, root, target_dir};
use job::Job;
use reports::Reports;

/// How long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Hours: what is published.
    Long,
    /// Minutes: whether it runs at all.
    Quick,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) lane: Lane,
    /// True if nothing is taken over from an earlier run.
    pub(crate) fresh: bool,
}

/// The programs that hurt, and those that are hurt.
#[derive(Clone, Debug)]
struct Programs {
    torture: PathBuf,
    /// Beside the tests and built with them, so it checks overflows and assertions, too.
    sim: PathBuf,
}

/// Runs all that is not there yet and writes the page; then says what was not clean.
pub(crate) fn run(request: Request) -> Result<(), Error> {
    let reports = Reports::begin(request)?;
    let programs = build()?;
    let mut broken = Vec::new();
    for tests in plan::tests() {
        broken.extend(reports.run(&tests)?);
    }
    let bugs = reports.run(&Job::json(&programs.sim, "bugs", &["bugs"]))?;
    broken.extend(bugs);
    let seeds = plan::seeds(&programs.sim, request.lane);
    let planted = plan::planted(&programs.sim, request.lane, &reports.planted_bugs()?);
    broken.extend(reports.run_side_by_side(&[seeds, planted].concat())?);
    for scenario in plan::scenarios(&programs.torture, request.lane) {
        broken.extend(reports.run(&scenario)?);
    }
    write_page(request.lane, &programs.torture, &reports)?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Broken { scenarios: broken.join(", ") })
}

/// Builds the server with what hurts it in a release, and the simulation with the tests.
fn build() -> Result<Programs, Error> {
    install_nextest()?;
    // The server with the named points that the kills ask for. Not in one build with the other: they
    // would have other features of the dependencies, and nearly all of them would be built anew.
    program::run(cargo().args([
        "build",
        "--release",
        "-p",
        "server",
        "--features",
        "types/faults",
    ]))?;
    program::run(cargo().args(["build", "--release", "-p", "torture"]))?;
    program::run(cargo().args(["nextest", "run", "--workspace", "--no-run"]))?;
    let target = target_dir();
    let in_target = |build: &str, name: &str| target.join(build).join(name);
    Ok(Programs { torture: in_target("release", "torture"), sim: in_target("debug", "sim") })
}

/// Only the long lane changes what is published.
fn write_page(lane: Lane, torture: &Path, reports: &Reports) -> Result<(), Error> {
    let page = match lane {
        Lane::Long => root().join("docs").join("evidence.md"),
        Lane::Quick => target_dir().join("evidence").join("evidence.md"),
    };
    let mut command = Command::new(torture);
    command.current_dir(root()).arg("evidence").arg("--from").arg(reports.dir());
    command.arg("--commit").arg(reports.commit()).arg("--into").arg(&page);
    command.arg("--append").arg(root().join("docs").join("track-record.md"));
    program::run(&mut command)?;
    let size = fs::metadata(&page).map_err(Error::unwritten(&page))?.len();
    program::say(&format!("{} has {size} bytes", page.display()));
    Ok(())
}
