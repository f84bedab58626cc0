//! One life of a node: a process from its start to its end, on a runtime of its own.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use types::ErrorKind;
use types::effect::Clock;
use wal::disk::{Cut, Hits};

use crate::client::Client;
use crate::clock::SimClock;
use crate::invariants;
use crate::moment::Moment;
use crate::node::{Effects, Node};
use crate::panics;
use crate::plan::{Ending, Faults, Life};
use crate::pool::SimPool;
use crate::reader::told;
use crate::rot::{self, Rot};
use crate::threads::{Around, SimThreads};
use crate::verdict::Kind;
use crate::vitals::Vitals;
use crate::weather::Weather;
use crate::world::World;
use crate::{judgement, operator, reader, writer};

/// How long an orderly end may take, with all that goes wrong meanwhile.
const SHUTDOWN_MAX: Duration = Duration::from_secs(120);
/// How long a drain may take.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What happens in a life.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Clients, faults, and an end.
    Life(Life),
    /// A start over a log that must be refused.
    Rot(Rot),
    /// No faults: everything is judged.
    Judgement,
}

/// Lives one life, and leaves the world as the next one finds it.
pub(crate) fn live(world: &mut World, script: &Script) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O can be had");
    world.trace.count("lives");
    panics::watch();
    let effects = OnceCell::new();
    let shared = &*world;
    // A dead process leaves its stack by unwinding.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(Box::pin(process(shared, script, &effects)));
    }));
    let entered = runtime.enter();
    let mut was_killed = false;
    if let Some(Effects { clock, vitals, .. }) = effects.get() {
        world.wall_ns = clock.now_ns();
        world.lived += clock.monotonic();
        was_killed = vitals.is_killed();
    }
    drop(entered);
    world.trace.time_from(None);
    note_hits(world);
    if was_killed {
        let calls = world.disk.calls();
        world.trace.fault("disk: killed at a call", format_args!("after {calls} calls"));
    }
    end(world, script);
    // Whatever is dropped sees the old disk only; what it had sent may still arrive somewhere.
    panics::ignore();
    let _ = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
    let _ = catch_unwind(AssertUnwindSafe(|| drop(effects)));
    if let Some(panic) = panics::take() {
        world.findings.report(Kind::Panic, &panic);
    }
    world.ledger.crashed();
}

/// Counts the faults of the disk that some call of this life met.
fn note_hits(world: &World) {
    let Hits { failed_syncs, full_syncs, times_full, .. } = world.disk.hits();
    world.trace.fault_times("disk: EIO at a sync", failed_syncs);
    world.trace.fault_times("disk: full at a sync", full_syncs);
    world.trace.fault_times("disk: full", times_full);
}

/// Takes from the disk what is lost, and lets time pass.
fn end(world: &mut World, script: &Script) {
    let cut = match script {
        Script::Life(life) => life.cut,
        Script::Rot(_) => Cut::Kill,
        Script::Judgement => Cut::PowerAnyOrder,
    };
    world.trace.event(format_args!("the end: {cut:?}, after {} calls", world.disk.calls()));
    world.trace.count(match cut {
        Cut::Kill => "kills",
        Cut::PowerInOrder => "power cuts in order",
        Cut::PowerAnyOrder => "power cuts in any order",
    });
    world.disk = world.disk.after(cut, &*world.chance.fork().randomness());
    let downtime = world.chance.millis(10, 60_000);
    world.wall_ns += i64::try_from(downtime.as_nanos()).unwrap_or(0);
}

async fn process(world: &World, script: &Script, cell: &OnceCell<Effects>) {
    world.trace.time_from(Some(Instant::now()));
    let faults = match script {
        Script::Life(life) => life.faults.clone(),
        Script::Rot(_) | Script::Judgement => Faults::default(),
    };
    let effects = cell.get_or_init(|| effects(world, &faults));
    world.store.set_fault_once_in(faults.store_once_in);
    tokio::spawn(effects.threads.clone().run());
    let scene = async {
        match script {
            Script::Life(life) => Box::pin(life_of(world, effects, life)).await,
            Script::Rot(rot) => Box::pin(rot::run(world, effects, rot)).await,
            Script::Judgement => Box::pin(judgement::run(world, effects)).await,
        }
    };
    // Whoever waits for a thread of a dead process waits for ever.
    tokio::select! {
        biased;
        () = scene => {}
        () = effects.vitals.dead() => {}
    }
}

fn effects(world: &World, faults: &Faults) -> Effects {
    let clock = Arc::new(SimClock::at(world.wall_ns));
    let dies_at_call = faults.dies_at_call.map(|call| {
        world.disk.die_at_call(call);
        world.disk.calls() + call
    });
    let vitals = Vitals::new(world, dies_at_call);
    let threads = SimThreads::new(Around {
        chance: world.chance.fork(),
        clock: Arc::clone(&clock),
        disk: world.disk.clone(),
        stalls_once_in: faults.stalls_once_in,
        vitals: Arc::clone(&vitals),
        trace: world.trace.clone(),
        findings: world.findings.clone(),
    });
    let cpu = SimPool::new(world.jobs.fork(), faults.job_panics_once_in, &world.trace);
    Effects {
        clock,
        threads,
        vitals,
        randomness: world.chance.fork().randomness(),
        cpu: Arc::new(cpu),
        set_aside: Moment::beside(faults.crash_at_set_aside.then_some(1)),
    }
}

async fn life_of(world: &World, effects: &Effects, life: &Life) {
    world.trace.event(format_args!("a life: {life:?}"));
    let started = Box::pin(Node::start(world, effects, life.faults.catalog_once_in)).await;
    let node = match started {
        Ok(node) => Arc::new(node),
        Err(error) => return failed(world, effects, &*error),
    };
    invariants::of_catalog(&node.catalog, &world.findings);
    let _others = others(world, effects, life, &node);
    let witness = witness(world, effects, life, &node);
    let mut clients = clients(world, &witness);
    let jobs = world.jobs.fork();
    tokio::select! {
        biased;
        error = node.ingester.failed() => return failed(world, effects, &*error),
        () = Box::pin(beside_request(&witness)) => {
            world.trace.count("crashes beside a request");
            return;
        }
        () = effects.set_aside.reached(&jobs) => {
            world.trace.count("crashes beside a job set aside");
            return;
        }
        () = tokio::time::sleep(life.length) => {}
    }
    invariants::of_memory(&node.memory, &world.findings);
    if life.ending == Ending::Crash {
        return;
    }
    witness.stop.store(true, Ordering::Relaxed);
    shut_down(world, effects, &node, &mut clients).await;
}

/// A node that has failed is a finding, unless something was done to it that allows that; rot was
/// never done to it.
pub(crate) fn failed(world: &World, effects: &Effects, error: &(dyn std::error::Error + 'static)) {
    let text = told(error);
    // What tasks of a dead process say has their numbers in it, which are no matter of the seed.
    let why = if effects.vitals.is_dead() { "with its process" } else { &text };
    world.trace.event(format_args!("the node fails: {why}"));
    if is_corrupt(error) || !effects.vitals.may_die() {
        world.findings.report(Kind::Failed, &text);
    }
}

/// True if a file is not as it was written.
pub(crate) fn is_corrupt(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_catalog = error.downcast_ref::<catalog::Error>().map(catalog::Error::kind);
    let of_ingester = error.downcast_ref::<ingester::Error>().map(ingester::Error::kind);
    of_catalog.or(of_ingester) == Some(ErrorKind::Corrupt)
}

/// The weather, and commands of earlier lives.
fn others(world: &World, effects: &Effects, life: &Life, node: &Arc<Node>) -> JoinSet<()> {
    let mut others = JoinSet::new();
    let weather = Weather {
        chance: world.chance.fork(),
        faults: life.faults.clone(),
        clock: Arc::clone(&effects.clock),
        disk: world.disk.clone(),
        store: world.store.clone(),
        trace: world.trace.clone(),
    };
    others.spawn(weather.run());
    let zombies = std::mem::take(&mut *world.zombies.lock());
    for zombie in zombies {
        let (node, delay) = (Arc::clone(node), world.chance.millis(0, 1_500));
        others.spawn(async move {
            tokio::time::sleep(delay).await;
            node.commands.deliver(zombie).await;
        });
    }
    others
}

/// A client that does nothing but be there when a life ends.
fn witness(world: &World, effects: &Effects, life: &Life, node: &Arc<Node>) -> Client {
    Client {
        // After all readers.
        number: world.plan.readers,
        node: Arc::clone(node),
        ledger: world.ledger.clone(),
        chance: world.chance.fork(),
        plan: Arc::new(world.plan.clone()),
        trace: world.trace.clone(),
        findings: world.findings.clone(),
        vitals: Arc::clone(&effects.vitals),
        moment: Moment::beside(life.crash_beside),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// Returns when a life is to end beside a request, somewhere on its way to its answer. Now and then
/// the witness looks just before: what it saw must not be gone afterwards.
async fn beside_request(witness: &Client) {
    witness.moment.reached(&witness.chance).await;
    if witness.chance.one_in(2) {
        reader::glance(witness).await;
    }
}

fn clients(world: &World, witness: &Client) -> JoinSet<()> {
    let client = |number| Client { number, chance: world.chance.fork(), ..witness.clone() };
    let mut clients = JoinSet::new();
    for number in 0..world.plan.writers {
        clients.spawn(writer::run(client(number)));
    }
    for number in 0..world.plan.readers {
        clients.spawn(reader::run(client(number)));
    }
    clients.spawn(operator::run(client(0)));
    clients
}

/// An orderly end, in which everybody gets an answer.
async fn shut_down(world: &World, effects: &Effects, node: &Arc<Node>, clients: &mut JoinSet<()>) {
    world.trace.event(format_args!("shutdown"));
    let ending = async {
        let drained = node.ingester.drain(DRAIN_MAX).await;
        world.trace.event(format_args!("drained: {drained:?}"));
        while clients.join_next().await.is_some() {}
        node.close().await
    };
    match timeout(SHUTDOWN_MAX, Box::pin(ending)).await {
        Ok(Ok(())) => world.trace.count("shutdowns"),
        Ok(Err(error)) => failed(world, effects, &*error),
        Err(_) => {
            world.findings.report(Kind::Stuck, &"an orderly end does not come to its end");
        }
    }
}
