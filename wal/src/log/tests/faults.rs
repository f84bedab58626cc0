//! One disk call fails, and then another, through every call that a log makes.
//!
//! Method: a life of a log (recovery, start, groups, seals, rotations, drops) is lived once for each
//! of its disk calls, and in each that one call fails. Then there are two ends that are right. The
//! process ends, and a restart finds all that was acked. Or it goes on, having refused what it could
//! not keep: then it takes more, and a restart finds that, too. A restart never finds what was
//! refused.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use types::effect::SeededRandomness;
use types::{ErrorKind, Lsn, LsnRange};

use crate::config::Config;
use crate::disk::{Cut, Errno, ModelDisk};
use crate::error::Error;
use crate::harness::{Machine, Recorder, Stepped, evidence, frames_of, small};
use crate::vouched::Vouched;

const CUTS: [Cut; 4] = [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder, Cut::PowerAnyOrder];

/// The first append that is made once the fault is over.
const AFTERWARDS: u64 = 1000;

fn config() -> Config {
    Config { ballast_size: 1500, ..small() }
}

/// What a process was asked for, and what it told.
#[derive(Default)]
struct Life {
    recorder: Option<Recorder>,
    queued: Vec<u64>,
    /// What the catalog holds, because it was dropped.
    dropped: Lsn,
}

impl Life {
    fn append(&mut self, log: &mut Stepped, id: u64, len: usize) {
        self.queue(log, id, len);
        log.settle();
    }

    fn queue(&mut self, log: &Stepped, id: u64, len: usize) {
        if log.queue(id, len, 1 + (id % 3) as u32).is_ok() {
            self.queued.push(id);
        }
    }

    fn drop_oldest(&mut self, log: &Stepped) {
        if let Some(oldest) = log.running.state().sealed.first() {
            self.dropped = oldest.lsns.map_or(self.dropped, LsnRange::last);
            // What cannot be removed is there for the next attempt.
            let _ = log.running.drop_through(oldest.seq);
        }
    }

    fn acked(&self) -> Vec<(LsnRange, u64)> {
        let recorder = self.recorder.as_ref();
        recorder.map_or_else(Vec::new, |recorder| recorder.told.lock().committed.clone())
    }

    fn refused(&self) -> Vec<u64> {
        let recorder = self.recorder.as_ref();
        recorder.map_or_else(Vec::new, |recorder| recorder.told.lock().refused.clone())
    }
}

/// Recovers, starts, and does everything that a log does.
fn live(machine: &Machine, life: &mut Life) -> Result<Stepped, Error> {
    let mut log = machine.start(Vouched::by_snapshot(Lsn::ZERO))?;
    life.recorder = Some(log.recorder.clone());
    life.append(&mut log, 11, 100);
    life.queue(&log, 12, 60);
    life.queue(&log, 13, 60);
    log.settle();
    wait(machine, &mut log, 1);
    for id in 14..18 {
        life.append(&mut log, id, 900);
    }
    log.rotate();
    life.append(&mut log, 18, 100);
    life.drop_oldest(&log);
    // Larger than a segment.
    life.append(&mut log, 19, 5000);
    life.drop_oldest(&log);
    life.append(&mut log, 20, 100);
    Ok(log)
}

fn wait(machine: &Machine, log: &mut Stepped, seconds: u64) {
    machine.clock.advance(Duration::from_secs(seconds));
    log.settle();
}

/// The process goes on: it finds that there is room, takes an append, and drops what it could not.
fn go_on(machine: &Machine, log: &mut Stepped, life: &mut Life) {
    for seconds in [1, 2, 4, 8, 16] {
        wait(machine, log, seconds);
    }
    assert!(!log.running.state().disk_full, "it resumes without a restart");
    log.append(AFTERWARDS, 100);
    life.queued.push(AFTERWARDS);
    assert_eq!(log.committed().last().map(|(_, id)| *id), Some(AFTERWARDS));
    if let Some(oldest) = log.running.state().sealed.first() {
        life.dropped = oldest.lsns.map_or(life.dropped, LsnRange::last).max(life.dropped);
        log.running.drop_through(oldest.seq).expect("the disk works again");
    }
}

/// Checks what the next process finds on `disk`, of the frames that were there `before` and of the
/// life that was lived on them.
fn check(disk: ModelDisk, before: &[(LsnRange, u64)], life: &Life) {
    let machine = Machine::with(disk, config());
    let vouched = Vouched::by_snapshot(life.dropped);
    let recovery = machine.recover(vouched).expect("it recovers from any fault");
    let found = frames_of(&recovery);
    let acked = life.acked();
    for frame in before.iter().chain(&acked).filter(|(lsns, _)| lsns.first() > life.dropped) {
        assert!(found.contains(frame), "{frame:?} was acked, of {found:?}");
    }
    let refused = life.refused();
    for frame in &found {
        let known = before.contains(frame) || life.queued.contains(&frame.1);
        assert!(known && !refused.contains(&frame.1), "{frame:?} was refused, or never asked for");
    }
    let follows = |pair: &[(LsnRange, u64)]| pair[0].0.last().next() == pair[1].0.first();
    assert!(found.windows(2).all(follows), "{found:?}");
    let epoch = recovery.epoch().next();
    let mut log = Stepped::start(recovery, epoch).expect("it starts");
    machine.disk.set_capacity(None);
    wait(&machine, &mut log, 1);
    log.append(2 * AFTERWARDS, 50);
    drop(log);
    let recovery = machine.recover(vouched).expect("it recovers");
    assert_eq!(frames_of(&recovery).last().map(|(_, id)| *id), Some(2 * AFTERWARDS));
}

/// Disks for a process to begin on, with the frames that are on them: an empty one, one of a log
/// that was closed, one of a log whose last group a power cut tore.
fn beginnings() -> Vec<(ModelDisk, Vec<(LsnRange, u64)>)> {
    let written = || {
        let machine = Machine { config: config(), ..Machine::new(3) };
        let mut log = machine.start_alone();
        for id in 1..6 {
            log.append(id, 500);
        }
        (machine, log)
    };
    let (closed, log) = written();
    log.close();
    let (torn, mut log) = written();
    for id in 6..8 {
        log.queue(id, 200, 1).expect("room");
    }
    // The group is written, and its sync never returns.
    torn.disk.die_at_call(2);
    assert!(catch_unwind(AssertUnwindSafe(|| log.settle())).is_err());
    let empty = ModelDisk::new(5);
    let disks = [(empty, Cut::Kill), (closed.disk, Cut::Kill), (torn.disk, Cut::PowerAnyOrder)];
    let disks = disks.map(|(disk, cut)| disk.after(cut, &SeededRandomness::new(8)));
    let frames = |disk: &ModelDisk| {
        let machine = Machine::with(disk.after(Cut::Kill, &SeededRandomness::new(1)), config());
        frames_of(&machine.recover(Vouched::by_snapshot(Lsn::ZERO)).expect("it recovers"))
    };
    disks.map(|disk| (disk.after(Cut::Kill, &SeededRandomness::new(2)), frames(&disk))).into()
}

/// How the lives ended.
#[derive(Debug, Default)]
struct Ends {
    /// The process ended, or did not start.
    fatal: u64,
    /// It went on, having refused something or not.
    went_on: u64,
}

impl Ends {
    /// Each was found to lose nothing.
    fn tell(&self, name: &str) {
        let counts = [("fatal", self.fatal), ("went_on", self.went_on), ("wrong", 0)];
        evidence::tell(name, &counts);
    }
}

/// Lives once for each call, with `fault` at it; returns when there is no such call any more.
fn at_every_call(fault: impl Fn(&ModelDisk, u64), is_full: bool) -> Ends {
    let mut ends = Ends::default();
    for (disk, before) in beginnings() {
        for call in 1.. {
            let disk = disk.after(Cut::Kill, &SeededRandomness::new(call));
            let machine = Machine::with(disk, config());
            fault(&machine.disk, call);
            let mut life = Life::default();
            let lived = catch_unwind(AssertUnwindSafe(|| live(&machine, &mut life)));
            check_after_cuts(&machine, &before, &life, call, is_full);
            if machine.disk.calls() < call {
                // The life was over before the fault; whatever comes next would meet it.
                assert!(matches!(lived, Ok(Ok(_))), "a life without a fault ends well");
                break;
            }
            match lived {
                Err(panic) if machine.fatal.last_words.lock().is_empty() => {
                    println!("a fault at call {call} ended it without last words");
                    resume_unwind(panic)
                }
                Err(_) => ends.fatal += 1,
                Ok(Err(refusal)) => {
                    assert_eq!(refusal.kind(), ErrorKind::Fatal, "at call {call}: {refusal}");
                    ends.fatal += 1;
                }
                Ok(Ok(mut log)) => {
                    machine.disk.set_capacity(None);
                    go_on(&machine, &mut log, &mut life);
                    check_after_cuts(&machine, &before, &life, call, false);
                    ends.went_on += 1;
                }
            }
        }
    }
    ends
}

fn check_after_cuts(
    machine: &Machine,
    before: &[(LsnRange, u64)],
    life: &Life,
    call: u64,
    is_full: bool,
) {
    for (at, cut) in CUTS.into_iter().enumerate() {
        let chance = SeededRandomness::new(call * 10 + at as u64);
        let disk = machine.disk.after(cut, &chance);
        if is_full {
            disk.set_capacity(Some(disk.used()));
        }
        let checked = catch_unwind(AssertUnwindSafe(|| check(disk, before, life)));
        if let Err(panic) = checked {
            println!("after a fault at call {call} and {cut:?}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn a_call_that_fails_once_ends_the_process_or_refuses_and_never_leaves_a_wrong_state() {
    for (errno, name) in [(Errno::Io, "faults-eio"), (Errno::NoSpace, "faults-enospc")] {
        let ends = at_every_call(|disk, call| disk.fail_call(call, errno), false);
        assert!(ends.fatal > 30 && ends.went_on > 5, "both ends were met: {ends:?}");
        ends.tell(name);
    }
}

#[test]
fn a_disk_that_is_full_from_any_call_on_refuses_restarts_and_resumes() {
    let ends = at_every_call(|disk, call| disk.fill_at_call(call), true);
    assert_eq!(ends.fatal, 0, "a full disk is no reason to end");
    assert!(ends.went_on > 150, "{ends:?}");
    ends.tell("faults-full-disk");
}

#[test]
fn a_directory_without_room_for_a_name_refuses_or_ends_and_never_leaves_a_wrong_state() {
    for (disk, before) in beginnings() {
        for more in 0..4_usize {
            let machine = Machine::with(disk.after(Cut::Kill, &SeededRandomness::new(1)), config());
            machine.disk.set_names_max(Some(machine.disk.names() + more));
            let mut life = Life::default();
            let lived = catch_unwind(AssertUnwindSafe(|| live(&machine, &mut life)));
            check_after_cuts(&machine, &before, &life, more as u64, false);
            machine.disk.set_names_max(None);
            match lived {
                Err(panic) => resume_unwind(panic),
                Ok(Err(refusal)) => assert_eq!(refusal.kind(), ErrorKind::Fatal),
                Ok(Ok(mut log)) => {
                    go_on(&machine, &mut log, &mut life);
                    check_after_cuts(&machine, &before, &life, more as u64, false);
                }
            }
        }
    }
}
