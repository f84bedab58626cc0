//! Does the catalog keep what it acknowledged, and nothing it refused, whichever disk call fails?
//!
//! Method: as for crashes, but the one call fails and the process is there to see it: with `EIO`, as
//! of a broken device, and with `ENOSPC`, as of a full disk. Either the process ends, and a restart
//! finds all that was answered, or it goes on, and takes what it refused when it is asked again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use catalog::{CatalogRead, CatalogWrite, Command, EmbeddedCatalog, Error, Snapshot};
use tokio::runtime::{Builder, Runtime};
use types::ErrorKind;
use types::effect::{Clock, SeededRandomness};
use wal::disk::{Cut, Errno, ModelDisk};

use crate::stage::{DIR, commands, deps, open, small, states};

/// Enough for a few segments and snapshots of the small configuration.
const COMMANDS: u64 = 40;

/// How often a refused command is sent again: a guard against hanging.
const ATTEMPTS_MAX: u32 = 1_000_000;

/// Remembers that the process was to end.
#[derive(Debug, Default)]
struct Ending(AtomicBool);

impl wal::Fatal for Ending {
    fn end(&self, error: &wal::Error) -> ! {
        self.0.store(true, Ordering::SeqCst);
        // Without the panic hook, whose output would drown that of tests which end many processes.
        resume_unwind(Box::new(error.to_string()))
    }
}

/// A minute has passed whenever somebody looks: a full disk is looked at again at once.
#[derive(Debug, Default)]
struct LeapingClock(AtomicU64);

impl Clock for LeapingClock {
    fn now_ns(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(60 * self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// A process on `disk`; nothing if it ended, or refused to start, which needs a reason.
fn start(disk: &ModelDisk, ending: &Arc<Ending>) -> Option<EmbeddedCatalog> {
    let deps = wal::Deps {
        clock: Arc::new(LeapingClock::default()),
        fatal: Arc::clone(ending) as Arc<dyn wal::Fatal>,
        ..deps(Arc::new(disk.clone()))
    };
    let opened = catch_unwind(AssertUnwindSafe(|| EmbeddedCatalog::open(DIR, &small(), deps)));
    match opened {
        Ok(Ok(catalog)) => Some(catalog),
        Ok(Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::Fatal, "{error}");
            None
        }
        Err(panic) if !ending.0.load(Ordering::SeqCst) => resume_unwind(panic),
        Err(_) => None,
    }
}

/// Sends a command until it is taken; false if the process ends before.
async fn insist(catalog: &EmbeddedCatalog, command: &Command) -> bool {
    for _ in 0..ATTEMPTS_MAX {
        match catalog.apply(command.clone()).await {
            Ok(_) => return true,
            Err(Error::Busy { .. }) => std::thread::yield_now(),
            Err(Error::Closed | Error::Unknown) => return false,
            Err(error) => panic!("a good command was refused: {error}"),
        }
    }
    panic!("it does not go on though the disk has room");
}

/// Sends commands one by one; returns how many were taken before the process ended.
fn send(catalog: &EmbeddedCatalog, commands: &[Command]) -> usize {
    let taken = async {
        let mut taken = 0;
        for command in commands {
            if !insist(catalog, command).await {
                break;
            }
            taken += 1;
        }
        taken
    };
    runtime().block_on(taken)
}

/// Checks what a restart on `disk` finds: at least `answered` commands, and one more at most.
fn check(disk: &ModelDisk, answered: usize, states: &[Snapshot]) {
    let catalog = open(disk).expect("it opens after any fault");
    let found = catalog.snapshot();
    let version = usize::try_from(found.version().get()).expect("it is small");
    assert!((answered..=answered + 1).contains(&version), "{version}, {answered} were answered");
    assert_eq!(*found, states[version], "the state is not that of {version} commands");
}

fn check_after_cuts(disk: &ModelDisk, seed: u64, answered: usize, states: &[Snapshot]) {
    for cut in [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder] {
        check(&disk.after(cut, &SeededRandomness::new(seed)), answered, states);
    }
}

/// One call fails in a run from the first start to the close, and then the next one, until a run
/// has no such call. Returns how many processes ended, and how many went on.
#[expect(clippy::print_stdout, reason = "a failed test shows the call that failed")]
fn fail_each_call(errno: Errno) -> (u32, u32) {
    let commands = commands(COMMANDS);
    let states = states(&commands);
    let (mut ended, mut went_on) = (0, 0);
    for call in 1.. {
        println!("{errno:?} at call {call}");
        let disk = ModelDisk::new(call);
        disk.fail_call(call, errno);
        let ending = Arc::new(Ending::default());
        let mut answered = 0;
        if let Some(catalog) = start(&disk, &ending) {
            answered = send(&catalog, &commands);
            check_after_cuts(&disk, call, answered, &states);
            // What a close could not do is done by the next start.
            let _ = catalog.close();
        }
        check_after_cuts(&disk, call, answered, &states);
        let has_ended = ending.0.load(Ordering::SeqCst) || answered < commands.len();
        ended += u32::from(has_ended);
        went_on += u32::from(!has_ended);
        if disk.calls() < call {
            assert!(call > 100, "a whole run has more than {call} calls");
            return (ended, went_on);
        }
    }
    (ended, went_on)
}

#[test]
fn a_broken_disk_ends_the_process_or_is_survived_and_never_leaves_a_wrong_state() {
    let (ended, went_on) = fail_each_call(Errno::Io);
    assert!(ended > 50 && went_on > 0, "{ended} ended, {went_on} went on");
}

#[test]
fn a_full_disk_ends_the_process_or_is_survived_and_never_leaves_a_wrong_state() {
    let (ended, went_on) = fail_each_call(Errno::NoSpace);
    assert!(ended > 10 && went_on > 20, "{ended} ended, {went_on} went on");
}

/// What a kill leaves of a catalog that took these commands.
fn killed(commands: &[Command], cut: Cut, seed: u64) -> ModelDisk {
    let disk = ModelDisk::new(9);
    let catalog = open(&disk).expect("a new catalog");
    assert_eq!(send(&catalog, commands), commands.len());
    disk.after(cut, &SeededRandomness::new(seed))
}

#[test]
fn a_call_of_a_start_that_fails_refuses_it_or_is_made_up_for() {
    let commands = commands(COMMANDS);
    let states = states(&commands);
    let disk = killed(&commands, Cut::Kill, 9);
    for errno in [Errno::Io, Errno::NoSpace] {
        for call in 1.. {
            let disk = disk.after(Cut::Kill, &SeededRandomness::new(call));
            disk.fail_call(call, errno);
            let ending = Arc::new(Ending::default());
            let started = start(&disk, &ending);
            let is_over = disk.calls() < call;
            if let Some(catalog) = &started {
                assert_eq!(*catalog.snapshot(), states[commands.len()]);
            }
            check_after_cuts(&disk, call, commands.len(), &states);
            drop(started);
            if is_over {
                break;
            }
        }
    }
}

/// Whoever starts on a full disk has a command to commit: the epoch of its log.
#[test]
fn b8_a_start_on_a_full_disk_takes_commands() {
    let commands = commands(COMMANDS);
    let states = states(&commands);
    let (before, last) = commands.split_at(commands.len() - 1);
    for seed in 0..16 {
        let cut = if seed % 2 == 0 { Cut::Kill } else { Cut::PowerInOrder };
        let disk = killed(before, cut, seed);
        disk.set_capacity(Some(disk.used()));
        let catalog = open(&disk).expect("it opens");
        assert_eq!(*catalog.snapshot(), states[before.len()]);
        let taken = runtime().block_on(catalog.apply(last[0].clone()));
        taken.expect("there is room for it");
        check_after_cuts(&disk, seed, commands.len(), &states);
    }
}
