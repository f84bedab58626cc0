//! Bit rot: a bit of what was durable, and is known to have been, changes.
//!
//! A start over a log that has it must refuse, name the file and change nothing; then the bytes come
//! back, as from a copy, and life goes on. Where something else may make up for the damage, a start
//! that succeeds must be right. What nobody could know to be rot, in the last group of a log, is
//! left alone here.

mod object;
mod place;

use std::path::{Path, PathBuf};

use types::effect::Disk;

use crate::chance::Chance;
use crate::incarnation::{failed, is_corrupt};
use crate::invariants;
use crate::judgement::{by_queries, in_time, ready};
use crate::node::{CATALOG_DIR, Effects, LOG_DIR, Node};
use crate::reader::told;
use crate::verdict::Kind;
use crate::world::World;

/// Where the catalog's own log is.
const CATALOG_LOG_DIR: &str = "/data/catalog/log";

/// What has rot in it.
#[derive(Clone, Debug)]
pub(crate) enum Rot {
    /// A file of the log or of the catalog.
    File(Rotten),
    /// An object of the store, which these draws choose once a node can say what its files are.
    Object(Chance),
}

/// A file with rot in it.
#[derive(Clone, Debug)]
pub(crate) struct Rotten {
    path: PathBuf,
    rotten: Vec<u8>,
    healthy: Vec<u8>,
    /// True if a start has to be refused. Otherwise it may succeed, if nothing is wrong then.
    is_fatal: bool,
}

impl Rotten {
    /// Flips a bit of the byte `at`.
    fn strike(world: &World, path: PathBuf, at: u64, chance: &Chance) -> Option<Self> {
        let healthy = world.disk.read(&path)?;
        let mut rotten = healthy.clone();
        *rotten.get_mut(usize::try_from(at).ok()?)? ^= 1_u8 << chance.below(8);
        world.disk.plant(&path, &rotten);
        Some(Self { path, rotten, healthy, is_fatal: false })
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// True if nobody has touched it.
    fn is_as_it_was(&self, world: &World) -> bool {
        world.disk.read(&self.path).as_ref() == Some(&self.rotten)
    }
}

/// Changes a bit of the log's newest segment near its end, so that no file tells the catalog of what
/// is rotten; if there is a frame to be found out.
pub(crate) fn strike(world: &World) -> Option<Rot> {
    let chance = world.chance.fork();
    let (name, frame) = place::vouched_frame(&world.disk, Path::new(LOG_DIR), &chance)?;
    let path = Path::new(LOG_DIR).join(name.to_string());
    let at = frame.offset + chance.below(frame.bytes);
    let rotten = Rotten::strike(world, path, at, &chance)?;
    world.trace.fault("disk: rot in the log", format_args!("{name} at {at}"));
    Some(Rot::File(Rotten { is_fatal: true, ..rotten }))
}

/// Changes a bit somewhere else: in a sealed segment of the log, in the catalog's log, in one of its
/// snapshots, or in an object.
pub(crate) fn strike_elsewhere(world: &World) -> Option<Rot> {
    let chance = world.chance.fork();
    let places = chance.order(4);
    places.into_iter().find_map(|place| match place {
        0 => in_sealed(world, LOG_DIR, "disk: rot in a sealed segment", &chance),
        1 => in_catalog_log(world, &chance),
        2 => in_snapshot(world, &chance),
        _ => Some(Rot::Object(chance.fork())),
    })
}

fn in_sealed(world: &World, dir: &str, kind: &'static str, chance: &Chance) -> Option<Rot> {
    let dir = Path::new(dir);
    let (name, len) = place::sealed_segment(&world.disk, dir, chance)?;
    let at = chance.below(len);
    let rotten = Rotten::strike(world, dir.join(name.to_string()), at, chance)?;
    world.trace.fault(kind, format_args!("{name} at {at}"));
    Some(Rot::File(rotten))
}

fn in_catalog_log(world: &World, chance: &Chance) -> Option<Rot> {
    const KIND: &str = "disk: rot in the catalog's log";
    if chance.one_in(2)
        && let Some(rot) = in_sealed(world, CATALOG_LOG_DIR, KIND, chance)
    {
        return Some(rot);
    }
    let dir = Path::new(CATALOG_LOG_DIR);
    let (name, frame) = place::vouched_frame(&world.disk, dir, chance)?;
    let at = frame.offset + chance.below(frame.bytes);
    let rotten = Rotten::strike(world, dir.join(name.to_string()), at, chance)?;
    world.trace.fault(KIND, format_args!("{name} at {at}"));
    Some(Rot::File(rotten))
}

fn in_snapshot(world: &World, chance: &Chance) -> Option<Rot> {
    let entries = world.disk.list(Path::new(CATALOG_DIR)).ok()?;
    let names = entries.into_iter().map(|entry| entry.name);
    let names: Vec<String> = names.filter(|name| is_snapshot(name)).collect();
    let name = names.get(chance.index(names.len().max(1)))?;
    let path = Path::new(CATALOG_DIR).join(name);
    let at = chance.below((world.disk.read(&path)?.len() as u64).max(1));
    let rotten = Rotten::strike(world, path, at, chance)?;
    world.trace.fault("disk: rot in a snapshot", format_args!("{name} at {at}"));
    Some(Rot::File(rotten))
}

/// True for the name under which the catalog keeps a whole snapshot.
fn is_snapshot(name: &str) -> bool {
    name.starts_with("snapshot-") && name.ends_with(".json")
}

/// Starts a node over rot.
pub(crate) async fn run(world: &World, effects: &Effects, rot: &Rot) {
    match rot {
        Rot::Object(chance) => object::run(world, effects, chance).await,
        Rot::File(rotten) => {
            start_over(world, effects, rotten).await;
            if rotten.is_as_it_was(world) {
                world.disk.plant(&rotten.path, &rotten.healthy);
            }
        }
    }
}

async fn start_over(world: &World, effects: &Effects, rotten: &Rotten) {
    match Box::pin(Node::start(world, effects, None)).await {
        Ok(_) if rotten.is_fatal => {
            let told = "a log starts that has rot in front of what is whole";
            world.findings.report(Kind::Invariant, &told);
        }
        Ok(node) => Box::pin(lived_over(world, effects, rotten, &node)).await,
        Err(error) => refused(world, effects, rotten, &*error),
    }
}

/// A start that was refused: by the name of what is rotten, which it left as it was.
fn refused(
    world: &World,
    effects: &Effects,
    rotten: &Rotten,
    error: &(dyn std::error::Error + 'static),
) {
    if !is_corrupt(error) {
        return failed(world, effects, error);
    }
    world.trace.count("starts refused over rot");
    let (name, told) = (rotten.name(), told(error));
    if !told.contains(&name) {
        let told = format!("a start over rot in {name} was refused without its name: {told}");
        world.findings.report(Kind::Invariant, &told);
    }
    if !rotten.is_as_it_was(world) {
        let told = format!("a start over rot was refused, and has changed {name}");
        world.findings.report(Kind::Invariant, &told);
    }
}

/// A start that found something to make up for the rot, or did not need what is rotten: all has to
/// be right.
async fn lived_over(world: &World, effects: &Effects, rotten: &Rotten, node: &Node) {
    let looked_at = async {
        if in_time(world, "it is ready over rot", ready(node)).await.is_some() {
            invariants::of_catalog(&node.catalog, &world.findings);
            by_queries(world, node, "over rot").await;
            world.trace.count("starts that rot changed nothing for");
        }
    };
    tokio::select! {
        biased;
        error = node.ingester.failed() => refused(world, effects, rotten, &*error),
        () = Box::pin(looked_at) => {}
    }
}
