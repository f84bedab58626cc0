//! The title of the page, and where its figures come from.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::error::Error;
use crate::program;
use crate::settings::Settings;

pub(super) fn text(settings: &Settings, commit: &str) -> Result<String, Error> {
    let date = said(&["date", "-u", "+%Y-%m-%d"])?;
    let kernel = said(&["uname", "-sr"])?;
    let processor = line_of("/proc/cpuinfo", "model name");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = line_of("/proc/meminfo", "MemTotal");
    let memory = memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
    let memory = memory.unwrap_or_default() >> 10;
    let (data, images) = (file_system(&settings.work_dir)?, file_system(&settings.image_dir)?);
    Ok(format!(
        "# Evidence\n\n\
         This page is made by `cargo xtask evidence`; do not change it by hand.\n\
         [guarantees.md](guarantees.md) has the promises, CONTRIBUTING.md says how to run this.\n\n\
         * Commit {commit}, {date}.\n\
         * {processor}, {cores} cores, {memory} MiB of memory, {kernel}.\n\
         * Real processes are release builds with the feature `faults`, one scenario after the other; \
         their data is on {data}, and where a scenario says so on an ext4 in an image on {images}.\n\
         * The simulation and the tests of the log are builds with checks of overflows and \
         assertions.\n"
    ))
}

fn said(words: &[&str]) -> Result<String, Error> {
    let output = program::run(Command::new(words[0]).args(&words[1..]))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What stands behind `name` and a colon in a file of the kernel.
fn line_of(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(':').map_or("", |(_, value)| value).trim().to_owned()
}

fn file_system(dir: &Path) -> Result<String, Error> {
    let dir = dir.display().to_string();
    let told = said(&["findmnt", "-n", "-o", "FSTYPE", "-T", &dir])?;
    // The last one mounted there is the one that is seen.
    Ok(told.lines().last().unwrap_or_default().to_owned())
}
