//! What is run in each lane, and how often.

use std::path::Path;
use std::thread;

use super::Lane;
use super::job::Job;

/// Where the search for a planted bug begins.
static STARTS: [u64; 5] = [0, 1_000, 2_000, 3_000, 4_000];
/// Seeds that a search goes through at most.
const SEARCH_MAX: u64 = 200;
/// Seeds that one process of the simulation goes through at most, so that all cores end together and
/// not much is run again after a break.
const SEEDS_AT_ONCE: u64 = 50;

/// The scenarios of `torture`: the name of the report, and the arguments in the long lane and in the
/// quick one.
const SCENARIOS: [(&str, &str, &str); 14] = [
    ("kills", "kills --rounds 1000", "kills --rounds 50"),
    ("power", "power --rounds 600", "power --rounds 20"),
    ("eio", "eio --rounds 100", "eio --rounds 20"),
    ("full-disk", "full-disk --rounds 10", "full-disk --rounds 4"),
    ("pause", "pause --rounds 20", "pause --rounds 2"),
    ("rot", "rot --rounds 100", "rot --rounds 20"),
    ("memory", "memory", "memory --databases 3"),
    ("overload", "overload --seconds 30", "overload --seconds 6"),
    ("outage-store", "outage --of store --minutes 2", "outage --of store --minutes 0.2"),
    (
        "outage-catalog-hangs",
        "outage --of catalog-hangs --minutes 2",
        "outage --of catalog-hangs --minutes 0.2",
    ),
    (
        "outage-catalog-refuses",
        "outage --of catalog-refuses --minutes 2",
        "outage --of catalog-refuses --minutes 0.2",
    ),
    ("recovery", "recovery --size-mib 1024", "recovery --size-mib 64"),
    ("fsync", "fsync --seconds 20", "fsync --seconds 3"),
    ("slow-disk", "slow-disk --seconds 13", "slow-disk --seconds 3"),
];

/// Where nothing is in the way, how long things took is judged, too.
const STRICT: &str = "--strict";

/// The scenarios on real processes. Nothing else is to run beside them: they measure.
pub(crate) fn scenarios(torture: &Path, lane: Lane) -> Vec<Job> {
    let job = |(name, long, quick): (&str, &str, &str)| {
        let words: Vec<&str> = match lane {
            Lane::Long => long.split(' ').chain([STRICT]).collect(),
            Lane::Quick => quick.split(' ').collect(),
        };
        Job::json(torture, name, &words)
    };
    SCENARIOS.into_iter().map(job).collect()
}

/// The tests that leave counts: all mutations of a log, and the bugs that crash loops catch.
pub(crate) fn tests() -> [Job; 2] {
    [
        Job::tests("tests-wal", "package(wal)"),
        Job::tests("tests-catalog", "package(catalog) & test(planted)"),
    ]
}

/// The simulation without a planted bug.
pub(crate) fn seeds(sim: &Path, lane: Lane) -> Vec<Job> {
    let (all, at_once) = match lane {
        Lane::Long => (1_000, SEEDS_AT_ONCE),
        Lane::Quick => (30, 30_u64.div_ceil(cores())),
    };
    let firsts = (0..all).step_by(usize::try_from(at_once).unwrap_or(usize::MAX));
    firsts
        .map(|first| {
            let (from, count) = (first.to_string(), at_once.min(all - first).to_string());
            let arguments = ["seeds", "--from", &from, "--count", &count];
            Job::json(sim, &format!("sim-{first:06}"), &arguments)
        })
        .collect()
}

/// The simulation with each of `bugs`, from several starts.
pub(crate) fn planted(sim: &Path, lane: Lane, bugs: &[String]) -> Vec<Job> {
    let starts = if lane == Lane::Long { &STARTS[..] } else { &STARTS[..1] };
    let search = |bug: &str, start: u64| {
        let (fault, from, count) =
            (format!("bug:{bug}"), start.to_string(), SEARCH_MAX.to_string());
        let seeds = ["seeds", "--from", &from, "--count", &count];
        let arguments = [seeds.as_slice(), &["--fault", &fault, "--stop-at-first"]].concat();
        Job::json(sim, &format!("planted-{bug}-{start:06}"), &arguments).wanted_to_end()
    };
    bugs.iter().flat_map(|bug| starts.iter().map(move |start| search(bug, *start))).collect()
}

/// How many programs run side by side where nothing is measured.
pub(crate) fn cores() -> u64 {
    thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_all_processes_are_each_seed_once() {
        for (lane, all) in [(Lane::Long, 1_000), (Lane::Quick, 30)] {
            let mut next = 0;
            for job in seeds(Path::new("sim"), lane) {
                let number = |at: usize| job.arguments[at].parse::<u64>().expect("a number");
                assert_eq!(number(2), next);
                next += number(4);
            }
            assert_eq!(next, all);
        }
    }

    #[test]
    fn how_long_things_took_is_judged_in_the_long_lane_only() {
        let program = Path::new("torture");
        let is_strict = |job: &Job| job.arguments.iter().any(|argument| argument == STRICT);
        assert!(scenarios(program, Lane::Long).iter().all(is_strict));
        assert!(!scenarios(program, Lane::Quick).iter().any(is_strict));
    }

    #[test]
    fn each_job_has_a_report_of_its_own() {
        let bugs = ["one".to_owned(), "other".to_owned()];
        let program = Path::new("program");
        let mut names: Vec<_> = scenarios(program, Lane::Long)
            .into_iter()
            .chain(seeds(program, Lane::Long))
            .chain(planted(program, Lane::Long, &bugs))
            .chain(tests())
            .map(|job| job.file())
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
