//! Bit rot in the log: a frame that was durable, and is known to have been, changes on the disk.
//!
//! A start must refuse such a log and change nothing; then the bytes come back, as from a copy, and
//! life goes on. What nobody could know to be rot, in the last group, is left alone here.

use std::path::{Path, PathBuf};

use types::effect::Disk;
use wal::SegmentName;
use wal::disk::ModelDisk;
use wal::inspect::{self, FrameReport};

use crate::chance::Chance;
use crate::incarnation::{failed, is_corrupt};
use crate::node::{Effects, LOG_DIR, Node};
use crate::verdict::Kind;
use crate::world::World;

/// Rot comes so near to the end of the log that no file tells the catalog of what is rotten.
const FRAMES_FROM_END: usize = 3;

/// A segment with rot in it.
#[derive(Clone, Debug)]
pub(crate) struct Rot {
    path: PathBuf,
    rotten: Vec<u8>,
    healthy: Vec<u8>,
}

/// Changes a bit of the newest segment, if there is a frame to be found out.
pub(crate) fn strike(world: &World) -> Option<Rot> {
    let chance = world.chance.fork();
    let (name, frame) = victim(&world.disk, &chance)?;
    let path = Path::new(LOG_DIR).join(name.to_string());
    let healthy = world.disk.read(&path)?;
    let mut rotten = healthy.clone();
    let at = frame.offset + chance.below(frame.bytes);
    *rotten.get_mut(usize::try_from(at).ok()?)? ^= 1_u8 << chance.below(8);
    world.disk.plant(&path, &rotten);
    world.trace.fault("disk: rot in the log", format_args!("{name} at {at}"));
    Some(Rot { path, rotten, healthy })
}

/// One of the last frames that a later one shows to have been durable.
fn victim(disk: &ModelDisk, chance: &Chance) -> Option<(SegmentName, FrameReport)> {
    let entries = disk.list(Path::new(LOG_DIR)).ok()?;
    let names = entries.iter().filter_map(|entry| SegmentName::parse(&entry.name));
    let newest = names.max()?;
    let reports = inspect::frames(disk, Path::new(LOG_DIR), newest.seq).ok()?;
    // Of the first one nobody knows which LSN it should have.
    let mut frames: Vec<FrameReport> = reports.map_while(Result::ok).skip(1).collect();
    let durable = frames.last()?.durable_lsn;
    frames.retain(|frame| frame.lsns.is_some_and(|lsns| lsns.last() <= durable));
    let near_end = frames.len().saturating_sub(FRAMES_FROM_END);
    let mut last = frames.split_off(near_end);
    if last.is_empty() {
        return None;
    }
    let at = chance.index(last.len());
    Some((newest, last.swap_remove(at)))
}

/// Starts a node over rot.
pub(crate) async fn run(world: &World, effects: &Effects, rot: &Rot) {
    match Box::pin(Node::start(world, effects, None)).await {
        Ok(_) => {
            let told = "a log starts that has rot in front of what is whole";
            world.findings.report(Kind::Invariant, &told);
        }
        Err(error) if is_corrupt(&*error) => {
            world.trace.count("starts refused over rot");
            if world.disk.read(&rot.path).as_ref() != Some(&rot.rotten) {
                let told = "a start over rot was refused, and has changed the log";
                world.findings.report(Kind::Invariant, &told);
            }
        }
        Err(error) => failed(world, effects, &*error),
    }
    world.disk.plant(&rot.path, &rot.healthy);
}
