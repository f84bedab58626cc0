//! `kill -9` at any moment, and ends at named points on both sides of each durable step.
//!
//! Each round starts a server over what the last one left, judges all that it shows, lets clients
//! write and read, and ends the server. So a server is judged that may itself end at any moment,
//! during its replay too.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use rustix::process::Signal;
use serde::Serialize;
use types::fault::Point;

use crate::bench::{Bench, CREW, SMALL};
use crate::error::{During, Error};
use crate::forebay::{Server, persist};
use crate::reading::DATABASE;
use crate::report::{Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;
use crate::workload::Workload;

/// Keys of one directory.
const KEYS: u64 = 12_000;
/// For how long a named point is waited for.
const POINT_PATIENCE: Duration = Duration::from_secs(1);
/// So many points in a row are not missed by chance.
const POINTS_MISSED_MAX: u64 = 8;
/// Rounds from one reading of the files of a server to the next that goes on with it.
const FILES_EVERY: u64 = 20;
/// How long a shutdown may take that nobody keeps from its end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(30);
/// In so many rounds each named point is chosen several times, so that it is reached.
const ROUNDS_OF_ALL_POINTS: u64 = 300;

/// How often.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Rounds, each with one end of a server
    #[arg(long, default_value_t = 1_000)]
    pub rounds: u64,

    /// Rounds that share a data directory
    #[arg(long, default_value_t = 50)]
    pub rounds_a_directory: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Kills {
    /// Ends of servers, none of them wanted by the server.
    pub kills: u64,
    /// Ends by the moment.
    pub moments: BTreeMap<&'static str, u64>,
    /// Ends at named points that were reached.
    pub points: BTreeMap<&'static str, u64>,
    /// Rounds whose point was not reached, so that the server was killed.
    pub points_missed: u64,
    /// True if some named point was reached, so that the binary has them.
    pub points_compiled_in: bool,
    /// From the start of a server until it was ready.
    pub restart: Spread,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Kills {
    const SCENARIO: &'static str = "kills";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl Kills {
    /// A point that is never the end shows nothing, however many others are.
    fn expect_all_points(&mut self) {
        if self.kills < ROUNDS_OF_ALL_POINTS {
            return;
        }
        for point in Point::ALL.map(Point::name) {
            if !self.points.contains_key(point) {
                self.totals.broke(format!("no server has ended at {point}"));
            }
        }
    }
}

/// Runs the rounds.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Kills, Error> {
    let mut random = settings.random();
    let mut run = Run::default();
    let mut left = options.rounds;
    while left > 0 {
        let rounds = left.min(options.rounds_a_directory.max(1));
        run.one_directory(settings, rounds, &mut random)?;
        left -= rounds;
        tell(&format!("kills: {} of {}", options.rounds - left, options.rounds));
        if !run.kills.totals.is_clean() {
            break;
        }
    }
    run.kills.points_compiled_in = !run.kills.points.is_empty();
    if run.kills.points_missed >= POINTS_MISSED_MAX && !run.kills.points_compiled_in {
        let promise = "no named point is ever reached: build the server with `types/faults`";
        run.kills.totals.broke(promise.to_owned());
    }
    run.kills.expect_all_points();
    run.kills.restart = Spread::of(run.restarts);
    Ok(run.kills)
}

/// When a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Start,
    Load,
    Persist,
    Shutdown,
    Point(Point),
}

impl Moment {
    fn choose(random: &mut StdRng) -> Self {
        if random.random_bool(0.5) {
            return Self::Point(Point::ALL[random.random_range(0..Point::ALL.len())]);
        }
        match random.random_range(0..6) {
            0 => Self::Start,
            1 => Self::Persist,
            2 => Self::Shutdown,
            _ => Self::Load,
        }
    }

    /// True if the clients have gone when the server is told to end: at every other shutdown, and
    /// always before the very last step.
    fn is_calm(self, random: &mut StdRng) -> bool {
        match self {
            Self::Point(Point::SnapshotBefore) => true,
            Self::Shutdown | Self::Point(Point::CloseBefore) => random.random_bool(0.5),
            _ => false,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Load => "load",
            Self::Persist => "persist",
            Self::Shutdown => "shutdown",
            Self::Point(_) => "point",
        }
    }
}

/// How often a point is passed before it is the end: some are passed all the time, some seldom.
fn passes(point: Point, random: &mut StdRng) -> u64 {
    match point {
        Point::WriteBefore | Point::FsyncBefore | Point::FsyncAfter | Point::AnswerBefore => {
            random.random_range(1..200)
        }
        Point::ReplayFrame => random.random_range(1..50),
        Point::RewriteBefore | Point::SnapshotBefore | Point::CloseBefore => 1,
        _ => random.random_range(1..4),
    }
}

#[derive(Debug, Default)]
struct Run {
    kills: Kills,
    restarts: Vec<Duration>,
}

impl Run {
    fn one_directory(
        &mut self,
        settings: &Settings,
        rounds: u64,
        random: &mut StdRng,
    ) -> Result<(), Error> {
        let mut dir = WorkDir::within(&settings.work_dir)?;
        let bench = Bench::new(settings, dir.data(), Workload::new(KEYS))?;
        let done = bench.while_clean(1..=rounds, |round| self.round(&bench, round, random));
        let done =
            done.and_then(|()| bench.while_clean([()], |()| bench.judge_after_restart(&SMALL)));
        if done.is_err() || !bench.workload.is_clean() {
            dir.keep();
            bench.keep_ledger();
        }
        self.kills.totals.absorb(bench.workload.totals());
        done
    }

    fn round(&mut self, bench: &Bench, round: u64, random: &mut StdRng) -> Result<(), Error> {
        let moment = Moment::choose(random);
        let mut launch = bench.launch(&SMALL);
        if let Moment::Point(point) = moment {
            let passes = passes(point, random);
            launch = launch.with_fault(format!("end:{}:{passes}", point.name()));
        }
        let mut server = launch.start()?;
        match self.one_life(bench, &mut server, (moment, round), random) {
            // It has reached its point while it was judged, or before.
            Err(error) if matches!(moment, Moment::Point(_)) => {
                if server.wait_end(POINT_PATIENCE)?.is_none() {
                    return Err(error);
                }
            }
            other => other?,
        }
        self.count_end(bench, &mut server, moment)?;
        bench.workload.crashed();
        Ok(())
    }

    /// Judges a server, keeps it busy, and ends it.
    fn one_life(
        &mut self,
        bench: &Bench,
        server: &mut Server,
        (moment, round): (Moment, u64),
        random: &mut StdRng,
    ) -> Result<(), Error> {
        if moment == Moment::Start {
            thread::sleep(Duration::from_millis(random.random_range(1..200)));
            server.kill()?;
            return Ok(());
        }
        let url = server.wait_ready()?;
        self.restarts.push(server.started().elapsed());
        bench.judge(&url)?;
        // It may reach its point before all is persisted; then it is not asked twice.
        if round.is_multiple_of(FILES_EVERY) && persist(bench.binary(), &url, DATABASE)? {
            bench.workload.judge_files(&bench.reader, &url, &bench.objects())?;
        }
        let seed = random.random();
        if moment.is_calm(random) {
            let busy = Duration::from_millis(random.random_range(0..150));
            bench.workload.during(&url, CREW, seed, || thread::sleep(busy))?;
            return end_without_clients(server, moment, random);
        }
        let end = || end(bench, server, (moment, url.as_str()), random);
        bench.workload.during(&url, CREW, seed, end)?
    }

    fn count_end(
        &mut self,
        bench: &Bench,
        server: &mut Server,
        moment: Moment,
    ) -> Result<(), Error> {
        let status = server.ended()?;
        if !status.is_some_and(|status| is_wanted(moment, status)) {
            let told = server.told();
            bench.workload.broke(format!("at {moment:?} a server ended as {status:?}: {told}"));
        }
        bench.expect_no_panic(server);
        let aborted = status.is_some_and(|status| status.signal() == ABORTED);
        match moment {
            Moment::Point(point) if aborted => {
                *self.kills.points.entry(point.name()).or_default() += 1;
            }
            Moment::Point(_) => self.kills.points_missed += 1,
            _ => {}
        }
        self.kills.kills += 1;
        *self.kills.moments.entry(moment.name()).or_default() += 1;
        Ok(())
    }
}

/// The signal of a process that has ended itself at a point.
const ABORTED: Option<i32> = Some(Signal::ABORT.as_raw());
/// The signal of a process that was killed.
const KILLED: Option<i32> = Some(Signal::KILL.as_raw());

/// True if a server has ended as it was made to: one that ends by itself beforehand, whatever the
/// reason, is no kill but a fault.
fn is_wanted(moment: Moment, status: ExitStatus) -> bool {
    let was_asked_to_end = match moment {
        Moment::Start | Moment::Load | Moment::Persist => false,
        Moment::Shutdown => true,
        Moment::Point(point) => {
            if status.signal() == ABORTED {
                return true;
            }
            is_of_shutdown(point)
        }
    };
    status.signal() == KILLED || (was_asked_to_end && status.success())
}

/// True if a point is reached by a server only that is told to end.
fn is_of_shutdown(point: Point) -> bool {
    matches!(point, Point::CloseBefore | Point::SnapshotBefore)
}

/// Ends a server in its shutdown that has no clients any more: whoever keeps asking keeps it from
/// the last steps, which are the closing of log and catalog.
fn end_without_clients(
    server: &mut Server,
    moment: Moment,
    random: &mut StdRng,
) -> Result<(), Error> {
    server.signal(Signal::TERM);
    match moment {
        Moment::Point(_) => {
            server.wait_end(SHUTDOWN_PATIENCE)?;
        }
        _ => thread::sleep(Duration::from_millis(random.random_range(0..400))),
    }
    server.kill()?;
    Ok(())
}

/// Ends a busy server.
fn end(
    bench: &Bench,
    server: &mut Server,
    (moment, url): (Moment, &str),
    random: &mut StdRng,
) -> Result<(), Error> {
    let mut pause = |below| thread::sleep(Duration::from_millis(random.random_range(0..below)));
    match moment {
        Moment::Start | Moment::Load => pause(300),
        Moment::Persist => {
            pause(100);
            let mut command = Command::new(bench.binary());
            command.args(["persist", "-d", DATABASE]).env("FOREBAY_HOST", url);
            let quiet = command.stderr(Stdio::null());
            let mut persisting = quiet.spawn().during("run forebay persist")?;
            pause(80);
            server.kill()?;
            persisting.wait().during("wait for forebay persist")?;
        }
        Moment::Shutdown => {
            pause(150);
            server.signal(Signal::TERM);
            pause(150);
        }
        Moment::Point(point) => {
            let begun = Instant::now();
            if is_of_shutdown(point) {
                pause(150);
                server.signal(Signal::TERM);
            }
            server.wait_end(POINT_PATIENCE.saturating_sub(begun.elapsed()))?;
        }
    }
    server.kill()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a process as `wait` has it: a signal, or a code in the second byte.
    fn of_signal(signal: Signal) -> ExitStatus {
        ExitStatus::from_raw(signal.as_raw())
    }

    fn of_code(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_point_that_was_never_reached_is_told_once_it_should_have_been() {
        let but_one = Point::ALL.into_iter().filter(|point| *point != Point::SnapshotBefore);
        let points: BTreeMap<_, _> = but_one.map(|point| (point.name(), 1)).collect();
        for (kills, broken) in [(299, 0), (300, 1)] {
            let mut found = Kills { kills, points: points.clone(), ..Kills::default() };
            found.expect_all_points();
            assert_eq!(found.totals.broken.len(), broken, "after {kills}");
        }
    }

    #[test]
    fn a_server_that_ends_by_itself_is_no_kill() {
        let point = Moment::Point;
        for moment in [Moment::Start, Moment::Load, Moment::Persist, point(Point::FsyncBefore)] {
            assert!(is_wanted(moment, of_signal(Signal::KILL)), "{moment:?}");
            for code in [0, 65, 70, 74] {
                assert!(!is_wanted(moment, of_code(code)), "{moment:?} and code {code}");
            }
        }
        for moment in [Moment::Shutdown, point(Point::CloseBefore)] {
            assert!(is_wanted(moment, of_code(0)) && !is_wanted(moment, of_code(74)), "{moment:?}");
        }
        assert!(is_wanted(point(Point::FsyncBefore), of_signal(Signal::ABORT)));
        assert!(!is_wanted(Moment::Load, of_signal(Signal::ABORT)));
    }
}
