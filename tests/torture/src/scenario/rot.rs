//! Bits that flip on disk while no server runs: it refuses to start, names the file and changes
//! nothing, or a query is refused that names it, or every answer is right. No answer is ever wrong.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde::Serialize;

use crate::bench::{Bench, CREW};
use crate::error::{During, Error};
use crate::forebay::Launch;
use crate::program;
use crate::report::{Report, Totals, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;
use crate::workload::{Crew, Workload};

const KEYS: u64 = 4_000;
/// Flips that start from copies of one directory.
const FLIPS_A_DIRECTORY: u64 = 10;
/// The exit code of a server that has found damage.
const EXIT_CORRUPT: i32 = 65;
/// Lives of the server before the flips, so that there are sealed segments and several files.
const LIVES: u64 = 3;
/// Nothing is dropped from the log unless a life says so.
const FLAGS: [&str; 4] = ["--wal-segment-size", "1MiB", "--rotation-period", "200ms"];

/// How often.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Rounds, each with one place of one file damaged
    #[arg(long, default_value_t = 300)]
    pub rounds: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rot {
    /// Places that were damaged.
    pub flips: u64,
    /// How it ended, by the kind of file: `<kind>: <outcome>`.
    pub outcomes: BTreeMap<String, u64>,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Rot {
    const SCENARIO: &'static str = "rot";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the rounds.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Rot, Error> {
    let mut random = settings.random();
    let mut rot = Rot::default();
    let mut left = options.rounds;
    while left > 0 && rot.totals.is_clean() {
        let rounds = left.min(FLIPS_A_DIRECTORY);
        let mut dir = WorkDir::within(&settings.image_dir)?;
        let bench = Bench::new(settings, dir.data(), Workload::new(KEYS))?;
        let done = rot.one_directory(&bench, &dir, rounds, &mut random);
        if done.is_err() || !bench.workload.is_clean() {
            dir.keep();
            bench.keep_ledger();
        }
        rot.totals.absorb(bench.workload.totals());
        done?;
        left -= rounds;
        tell(&format!("rot: {} of {}", options.rounds - left, options.rounds));
    }
    Ok(rot)
}

/// Kinds of files that may rot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Segment,
    Parquet,
    Snapshot,
    CatalogLog,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Segment, Self::Parquet, Self::Snapshot, Self::CatalogLog];

    const fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Parquet => "parquet",
            Self::Snapshot => "snapshot",
            Self::CatalogLog => "catalog log",
        }
    }

    /// True if a server that refuses to start over such damage may have changed what is at `path` of
    /// its data directory. It locks what it opens. The catalog is opened before the log, under a new
    /// epoch, and its own log is made whole before the snapshots are compared with it; the store
    /// sweeps what a crash has left of uploads.
    fn is_free(self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_swept = path.starts_with("objects") && name.contains('#');
        let is_opened_before = match self {
            Self::Segment => path.starts_with("catalog"),
            Self::Snapshot => path.starts_with("catalog/log"),
            Self::CatalogLog => false,
            // Nobody looks into these before all else is open.
            Self::Parquet => !path.starts_with("objects"),
        };
        name == "lock" || is_swept || is_opened_before
    }

    /// The files of this kind of which every byte is vouched for by something behind it. The newest
    /// segment after a kill is not among them: where its last group ends, nobody can tell.
    fn files(self, data: &Path, was_closed: bool) -> Result<Vec<PathBuf>, Error> {
        let sealed = |dir: &str| -> Result<Vec<PathBuf>, Error> {
            let mut segments = ending_with(&data.join(dir), ".wal")?;
            segments.sort();
            if !was_closed {
                segments.pop();
            }
            Ok(segments)
        };
        match self {
            Self::Segment => sealed("wal"),
            Self::CatalogLog => sealed("catalog/log"),
            Self::Parquet => ending_with(&data.join("objects"), ".parquet"),
            Self::Snapshot => {
                let mut files = ending_with(&data.join("catalog"), "")?;
                files.retain(|path| {
                    let name = path.file_name().and_then(|name| name.to_str());
                    name.is_some_and(|name| name.starts_with("snapshot"))
                });
                Ok(files)
            }
        }
    }
}

impl Rot {
    fn one_directory(
        &mut self,
        bench: &Bench,
        dir: &WorkDir,
        rounds: u64,
        random: &mut StdRng,
    ) -> Result<(), Error> {
        let was_closed = random.random_bool(0.5);
        live(bench, was_closed, random)?;
        for round in 0..rounds {
            let copy = dir.path().join(format!("copy-{round}"));
            program::run(Command::new("cp").arg("-a").arg(bench.data_dir()).arg(&copy))?;
            let flip = flip_somewhere(&copy, was_closed, random)?;
            let outcome = outcome(bench, &copy, &flip)?;
            self.flips += 1;
            let key = format!("{}: {}", flip.kind.name(), outcome.name());
            *self.outcomes.entry(key).or_default() += 1;
            if !bench.workload.is_clean() {
                tell(&format!("{} at {}", flip.path.display(), flip.offset));
                return Ok(());
            }
            fs::remove_dir_all(&copy).during("remove a copy")?;
        }
        // What they were copies of is as good as ever: it was the damage that was refused.
        bench.judge_after_restart(&FLAGS)
    }
}

/// Lets a server live some times, so that there is something of each kind.
fn live(bench: &Bench, close: bool, random: &mut StdRng) -> Result<(), Error> {
    for life in 1..=LIVES {
        // What the first lives wrote goes to files, what the last ones wrote stays in the log.
        let age = if life == 1 { "100ms" } else { "1h" };
        let launch = bench.launch(&FLAGS).with("--persist-max-age", age);
        let (mut server, url) = launch.start_ready()?;
        let crew = Crew { readers: 0, ..CREW };
        let busy = Duration::from_millis(if life == 1 { 600 } else { 300 });
        bench.workload.during(&url, crew, random.random(), || thread::sleep(busy))?;
        if life == 1 || (close && life == LIVES) {
            server.terminate()?;
        } else {
            server.kill()?;
        }
        bench.workload.crashed();
    }
    Ok(())
}

/// What was damaged.
#[derive(Debug)]
struct Flip {
    kind: Kind,
    path: PathBuf,
    offset: u64,
}

/// Damages one bit or one byte of one file.
fn flip_somewhere(data: &Path, was_closed: bool, random: &mut StdRng) -> Result<Flip, Error> {
    let mut kinds = Kind::ALL;
    // Chance decides where to look first; there may be no file of some kind.
    let first = random.random_range(0..kinds.len());
    kinds.rotate_left(first);
    for kind in kinds {
        let mut files = kind.files(data, was_closed)?;
        files.sort();
        let Some(path) = files.choose(random).cloned() else { continue };
        let mut bytes = fs::read(&path).during(format!("read {}", path.display()))?;
        // Behind the last byte that is not zero there is room that was never used.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        if used == 0 {
            continue;
        }
        let at = random.random_range(0..used);
        bytes[at] = match random.random_bool(0.5) {
            true => bytes[at] ^ (1_u8 << random.random_range(0..8_u32)),
            false => bytes[at].wrapping_add(random.random_range(1..=255)),
        };
        fs::write(&path, bytes).during(format!("damage {}", path.display()))?;
        return Ok(Flip { kind, path, offset: at as u64 });
    }
    Err(Error::answer("damage a file", &"there is none"))
}

/// How a damaged file was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The server did not start, and named the file.
    StartRefused,
    /// A query was refused, and the file was named.
    QueryRefused,
    /// All answers were right.
    Right,
    /// A promise was broken; it is told.
    Broken,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::StartRefused => "start refused",
            Self::QueryRefused => "query refused",
            Self::Right => "right",
            Self::Broken => "broken",
        }
    }
}

/// Starts a server over a damaged copy and judges all that it shows.
fn outcome(bench: &Bench, copy: &Path, flip: &Flip) -> Result<Outcome, Error> {
    let file = flip.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let launch = Launch::new(bench.binary(), copy, &FLAGS).with("--persist-max-age", "1h");
    let before = sums(copy, flip.kind)?;
    let mut server = launch.start()?;
    let told_by_server = |text: &str| text.contains(file);
    let url = match server.wait_ready() {
        Ok(url) => url,
        Err(Error::Ended { told, code }) => {
            let changed = changed(&before, &sums(copy, flip.kind)?);
            if code == Some(EXIT_CORRUPT) && told_by_server(&told) && changed.is_empty() {
                return Ok(Outcome::StartRefused);
            }
            let place = format!("{} at {}", flip.path.display(), flip.offset);
            bench
                .workload
                .broke(format!("{place}: exit code {code:?}, changed files {changed:?}: {told}"));
            return Ok(Outcome::Broken);
        }
        Err(error) => return Err(error),
    };
    let judged = bench.judge(&url);
    server.kill()?;
    match judged {
        // One file that is refused does not make up for a wrong answer from another.
        _ if !bench.workload.is_clean() => Ok(Outcome::Broken),
        Ok(()) => Ok(Outcome::Right),
        Err(error) if told_by_server(&error.to_string()) => Ok(Outcome::QueryRefused),
        Err(error) => {
            let place = format!("{} at {}", flip.path.display(), flip.offset);
            bench.workload.broke(format!("{place}: a query is refused without its name: {error}"));
            Ok(Outcome::Broken)
        }
    }
}

/// A sum of each file of a data directory that a refused start has to leave as it is.
type Sums = BTreeMap<PathBuf, u64>;

fn sums(data: &Path, damaged: Kind) -> Result<Sums, Error> {
    let mut sums = Sums::new();
    for path in ending_with(data, "")? {
        let name = path.strip_prefix(data).unwrap_or(&path);
        if damaged.is_free(name) {
            continue;
        }
        let mut hasher = DefaultHasher::new();
        fs::read(&path).during(format!("read {}", path.display()))?.hash(&mut hasher);
        sums.insert(name.to_owned(), hasher.finish());
    }
    Ok(sums)
}

/// The files that are new, gone, or not what they were.
fn changed(before: &Sums, after: &Sums) -> Vec<PathBuf> {
    let all = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
    all.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// The files in a directory, and in those below it, whose names end with `ending`.
fn ending_with(dir: &Path, ending: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    if !dir.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(dir).during(format!("list {}", dir.display()))? {
        let path = entry.during("list a directory")?.path();
        if path.is_dir() {
            found.extend(ending_with(&path, ending)?);
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_changed_new_or_gone_is_told_and_a_lock_is_not() {
        let dir = WorkDir::within(&std::env::temp_dir()).expect("a directory");
        let write = |name: &str, text: &str| {
            fs::create_dir_all(dir.path().join("wal")).expect("a directory");
            fs::write(dir.path().join("wal").join(name), text).expect("is written");
        };
        for name in ["same", "other", "gone"] {
            write(name, "before");
        }
        let before = sums(dir.path(), Kind::Segment).expect("is read");
        write("other", "after");
        write("new", "");
        write("lock", "");
        fs::remove_file(dir.path().join("wal/gone")).expect("is removed");
        let mut changed = changed(&before, &sums(dir.path(), Kind::Segment).expect("is read"));
        changed.sort();
        assert_eq!(changed, ["wal/gone", "wal/new", "wal/other"].map(PathBuf::from));
    }
}
