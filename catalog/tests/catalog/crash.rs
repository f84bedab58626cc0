//! Does the catalog keep what it acknowledged, whenever the process or the machine dies?
//!
//! Method: run the same commands on a disk in memory and let the process die at the first disk
//! call, then at the second, and so on through every call of a run; after each death reopen what a
//! kill or a power cut leaves, and compare with the state machine alone.

use catalog::conformance::{add_file, file, open_log};
use catalog::{Action, CatalogRead, CatalogWrite, Command, EmbeddedCatalog, Error, Snapshot};
use tokio::runtime::{Builder, Runtime};
use types::RequestId;
use types::effect::SeededRandomness;
use wal::disk::{Cut, ModelDisk};

use crate::stage::{DIR, commands, open, paths, states};

/// Enough for several segments and snapshots of the small configuration.
const COMMANDS: u64 = 48;

/// Commands that are sent together, so that they share frames.
const TOGETHER: usize = 3;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// Sends `commands`, a few at a time, until one fails; returns how many were answered with success.
/// They are queued in their order, so the answered ones are the first.
async fn send(catalog: &EmbeddedCatalog, commands: &[Command]) -> usize {
    let mut answered = 0;
    for together in commands.chunks(TOGETHER) {
        let [one, two, three] = [0, 1, 2].map(|n| together.get(n).cloned());
        let send = async |command: Option<Command>| match command {
            Some(command) => catalog.apply(command).await.is_ok(),
            None => false,
        };
        let (one, two, three) = tokio::join!(send(one), send(two), send(three));
        let succeeded = [one, two, three].into_iter().take_while(|succeeded| *succeeded).count();
        answered += succeeded;
        if succeeded < together.len() {
            break;
        }
    }
    answered
}

/// A run that dies at `call`: how many commands were answered, and whether all were and the catalog
/// was closed.
fn run_until(disk: &ModelDisk, call: u64, commands: &[Command]) -> (usize, bool) {
    disk.die_at_call(call);
    let Ok(catalog) = open(disk) else { return (0, false) };
    let answered = runtime().block_on(send(&catalog, commands));
    let closed = catalog.close().is_ok();
    (answered, closed && answered == commands.len())
}

/// Reopens, checks, sends the rest, closes and reopens once more.
fn check_after(disk: &ModelDisk, answered: usize, commands: &[Command], states: &[Snapshot]) {
    let catalog = open(disk).expect("it opens after any crash");
    let found = catalog.snapshot();
    let version = usize::try_from(found.version().get()).expect("it is small");
    assert!(answered <= version, "{answered} were acknowledged, {version} are there");
    assert!(version <= answered + TOGETHER, "{version} are there, {answered} were acknowledged");
    assert_eq!(*found, states[version], "the state is not that of {version} commands");
    // From the last acknowledged one: some that are sent again have been applied, with no answer.
    let rest = &commands[answered..];
    assert_eq!(runtime().block_on(send(&catalog, rest)), rest.len());
    assert_eq!(*catalog.snapshot(), states[commands.len()]);
    catalog.close().expect("it closes");
    let catalog = open(disk).expect("it opens after a close");
    assert_eq!(*catalog.snapshot(), states[commands.len()]);
    runtime().block_on(check_fenced(&catalog));
}

/// Opens the log anew; who opened it before commits nothing and cannot open it again.
async fn check_fenced(catalog: &EmbeddedCatalog) {
    let send = async |n, action| {
        catalog.apply(Command { request: RequestId::from_random(0x0fe2, n), action }).await
    };
    send(0, open_log(2)).await.expect("the next epoch");
    let late = Action::AddFile(add_file(file(9_000, 9_000, 9_000)));
    for (n, late) in [(1, late), (2, open_log(1)), (3, open_log(2))] {
        let refused = send(n, late).await;
        assert!(matches!(refused, Err(Error::Fenced { .. })), "{n}: {refused:?}");
    }
}

/// Dies at `call`, which is the seed too, and checks what is left; true if the run was over before.
#[expect(
    clippy::print_stdout,
    reason = "a failed test shows the call and the seed that it died at"
)]
pub(crate) fn crash_at(call: u64, cut: Cut) -> bool {
    let commands = commands(COMMANDS);
    let states = states(&commands);
    let disk = ModelDisk::new(call);
    disk.set_partial_calls(call.is_multiple_of(2));
    let (answered, complete) = run_until(&disk, call, &commands);
    let after = disk.after(cut, &SeededRandomness::new(call));
    println!("{cut:?} at call {call} with seed {call}");
    check_after(&after, answered, &commands, &states);
    complete
}

/// Dies at every call in turn, the calls of opening and closing included.
fn crash_at_every_call(cut: Cut) {
    let last = (1..).find(|call| crash_at(*call, cut));
    assert!(last > Some(150), "a whole run has more calls than {last:?}");
}

#[test]
fn a_kill_at_any_call_loses_nothing_that_was_acknowledged() {
    crash_at_every_call(Cut::Kill);
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_that_was_acknowledged() {
    crash_at_every_call(Cut::PowerInOrder);
}

#[test]
fn a_power_cut_that_keeps_any_subset_loses_nothing_that_was_acknowledged() {
    crash_at_every_call(Cut::PowerAnyOrder);
}

#[test]
fn the_runs_that_die_go_through_snapshots_and_dropped_segments() {
    let disk = ModelDisk::new(1);
    let (answered, complete) = run_until(&disk, u64::MAX / 2, &commands(COMMANDS));
    assert!(complete && answered == commands(COMMANDS).len());
    assert_eq!(paths(&disk, DIR, ".json").len(), 2);
    let segments = paths(&disk, "/catalog/log", ".wal");
    let first = segments.first().expect("the newest is never dropped");
    assert!(!first.ends_with("1-00000000000000000001.wal"), "nothing was dropped: {segments:?}");
}

#[test]
fn a_second_crash_while_it_recovers_loses_nothing() {
    let commands = commands(COMMANDS);
    let states = states(&commands);
    for call in 1..60 {
        let disk = ModelDisk::new(call);
        let (answered, _) = run_until(&disk, 90 + 3 * call, &commands);
        let again = disk.after(Cut::PowerAnyOrder, &SeededRandomness::new(call));
        again.die_at_call(call);
        drop(open(&again));
        let after = again.after(Cut::PowerAnyOrder, &SeededRandomness::new(!call));
        println!("the second crash at call {call} with seed {call}");
        check_after(&after, answered, &commands, &states);
    }
}

#[test]
fn a_failed_fsync_of_the_log_ends_the_process_with_the_outcome_unknown() {
    let commands = commands(COMMANDS);
    let states = states(&commands);
    for sync in 1..40 {
        let disk = ModelDisk::new(sync);
        let Ok(catalog) = open(&disk) else { panic!("nothing fails yet") };
        disk.fail_sync(sync);
        let answered = runtime().block_on(send(&catalog, &commands));
        let after = disk.after(Cut::PowerInOrder, &SeededRandomness::new(sync));
        drop(catalog);
        println!("the failed sync {sync} with seed {sync}");
        check_after(&after, answered, &commands, &states);
    }
}
