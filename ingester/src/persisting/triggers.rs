//! The triggers that nobody calls: hot partitions, age, memory, log bytes, rotation.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use persist::Demand;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use types::effect::{Clock, Lost, Pool, offload};
use types::{Lsn, PartitionId};

use super::driver::PersistDriver;
use super::hot_queue::HotPartition;
use super::housekeeping::Housekeeping;
use crate::buffer_tree::{BufferTree, Partition, PartitionSize};
use crate::dml_sink::admission::Gate;
use crate::state::{IngestState, Phase};
use crate::wal_appender::PendingWrite;
use crate::wal_tracker::{OldestNeeded, WalTracker};

/// How often memory and the size of the log are looked at.
const PRESSURE_PERIOD: Duration = Duration::from_millis(100);

/// How often the number of partitions is looked at: there is a quarter of it left to grow into, and
/// while there are too many, each look sorts all of them.
const PARTITION_COUNT_PERIOD: Duration = Duration::from_secs(1);

/// A partition of at least this part of the hot size is worth a file at a rotation; smaller ones
/// wait for their age, so that files stay few.
const ROTATION_SIZE_DIVISOR: u64 = 4;

/// Hands each hot partition to the persist actor, for ever.
pub(crate) async fn hot_partitions(
    driver: PersistDriver,
    mut queue: mpsc::UnboundedReceiver<HotPartition>,
) {
    while let Some(HotPartition { partition, sealed }) = queue.recv().await {
        driver.submit_aside(partition, sealed, Demand::HotPartition);
    }
}

/// Asks for each partition whose oldest row has reached `max_age`.
pub(crate) async fn age(
    tree: Arc<BufferTree>,
    housekeeping: Arc<Housekeeping>,
    clock: Arc<dyn Clock>,
    max_age: Duration,
) {
    let period = (max_age / 4).clamp(Duration::from_millis(50), Duration::from_secs(10));
    let mut ticks = ticks(period);
    loop {
        ticks.tick().await;
        let now = clock.monotonic();
        for partition in tree.partitions() {
            let since = partition.unsealed_since();
            if since.is_some_and(|since| now.saturating_sub(since) >= max_age) {
                housekeeping.ask(partition, Demand::Age);
            }
        }
        tree.remove_empty();
    }
}

/// Rotates the log, which blocks, away from those who serve.
#[derive(Clone, Debug)]
pub(crate) struct Rotator {
    pub(crate) log: wal::LogHandle<PendingWrite>,
    pub(crate) pool: Arc<dyn Pool>,
}

impl Rotator {
    async fn rotate(&self) {
        let log = self.log.clone();
        match offload(&*self.pool, move || log.rotate()).await {
            // The node may end at any moment, and closes its log before its triggers end.
            Ok(Ok(_) | Err(wal::Error::Closed)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot rotate the log, will try again"),
            Err(Lost) => tracing::error!("the rotation of the log ended early"),
        }
    }
}

/// Rotates the log every `period` and asks for the partitions that are worth a file.
pub(crate) async fn rotation(
    tree: Arc<BufferTree>,
    housekeeping: Arc<Housekeeping>,
    rotator: Rotator,
    period: Duration,
    hot_partition_size: u64,
) {
    let mut ticks = ticks(period);
    // The first tick comes at once, and there is nothing to rotate yet.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        rotator.rotate().await;
        for partition in tree.partitions() {
            if partition.size().unsealed_bytes >= hot_partition_size / ROTATION_SIZE_DIVISOR {
                housekeeping.ask(partition, Demand::Rotation);
            }
        }
    }
}

/// Persists the largest and oldest partitions while the gate has too little memory to hand out,
/// counting only what is not on its way out already.
pub(crate) async fn memory_pressure(driver: PersistDriver, gate: Arc<Gate>) {
    let mut ticks = ticks(PRESSURE_PERIOD);
    loop {
        ticks.tick().await;
        let PartitionSize { unsealed_bytes, sealed_bytes, .. } = driver.tree().size();
        let excess = gate.excess(sealed_bytes);
        // Where all is on its way out already, no partition need be asked.
        if excess > 0 && unsealed_bytes > 0 {
            driver.persist_aside(largest(&driver, excess), Demand::MemoryPressure);
        }
    }
}

/// The fewest partitions whose unsealed rows hold `bytes`, large and old ones first.
fn largest(driver: &PersistDriver, bytes: u64) -> Vec<Arc<Partition>> {
    // What a partition says changes while they are sorted, so it is asked once.
    let asked = |partition: Arc<Partition>| {
        (partition.size().unsealed_bytes, partition.unsealed_since(), partition)
    };
    let mut sized: Vec<_> = driver.tree().partitions().into_iter().map(asked).collect();
    sized.retain(|(unsealed, ..)| *unsealed > 0);
    sized.sort_by_key(|(unsealed, since, _)| (Reverse(*unsealed), *since));
    let mut found = 0;
    sized
        .into_iter()
        .take_while(|(unsealed, ..)| {
            let wanted = found < bytes;
            found += unsealed;
            wanted
        })
        .map(|(.., partition)| partition)
        .collect()
}

/// Asks for the oldest partitions, down to half of `partitions_max`, when there are three quarters of
/// as many.
pub(crate) async fn partition_count(
    tree: Arc<BufferTree>,
    housekeeping: Arc<Housekeeping>,
    partitions_max: usize,
) {
    let mut ticks = ticks(PARTITION_COUNT_PERIOD);
    loop {
        ticks.tick().await;
        if tree.partition_count() <= partitions_max / 4 * 3 {
            continue;
        }
        for partition in oldest_beyond(tree.partitions(), partitions_max / 2) {
            housekeeping.ask(partition, Demand::Age);
        }
    }
}

/// All partitions with unsealed rows but the newest `kept`, oldest first.
fn oldest_beyond(partitions: Vec<Arc<Partition>>, kept: usize) -> Vec<Arc<Partition>> {
    let aged = |partition: Arc<Partition>| Some((partition.unsealed_since()?, partition));
    let mut aged: Vec<_> = partitions.into_iter().filter_map(aged).collect();
    aged.sort_by_key(|(since, _)| *since);
    aged.truncate(aged.len().saturating_sub(kept));
    aged.into_iter().map(|(_, partition)| partition).collect()
}

/// Persists the partitions that keep the oldest segment while the log is over half of its size, has
/// no room for what was refused, or its disk is full: what is in files frees segments, and so the
/// disk. If that is the open one, it is sealed first: else nothing could free it before the next
/// rotation. If it is still being replayed, it cannot be freed yet, and what is there of it is left
/// to grow.
pub(crate) async fn log_bytes(
    driver: PersistDriver,
    rotator: Rotator,
    tracker: Arc<WalTracker>,
    state: Arc<IngestState>,
    max_size: u64,
) {
    let mut ticks = ticks(PRESSURE_PERIOD);
    loop {
        ticks.tick().await;
        let log = rotator.log.state();
        let has_room = log.bytes.saturating_add(log.wanted) <= max_size;
        if log.bytes <= max_size / 2 && has_room && !log.disk_full {
            continue;
        }
        let Some(OldestNeeded { sealed, last_unsettled }) = tracker.oldest_needed() else {
            // All of it is in files, and only that it is open keeps a segment.
            if log.open.is_some_and(|open| open.frames > 0) {
                rotator.rotate().await;
            }
            continue;
        };
        if !sealed {
            if matches!(state.phase(), Phase::Replaying(_)) {
                continue;
            }
            rotator.rotate().await;
        }
        driver.persist_aside(keeping(&driver, &last_unsettled), Demand::WalBytes);
    }
}

/// The partitions with unsealed rows of the oldest segment. Others that keep it are on their way to
/// a file already: to seal what came to them since would make small files and free nothing.
fn keeping(
    driver: &PersistDriver,
    last_unsettled: &BTreeMap<PartitionId, Lsn>,
) -> Vec<Arc<Partition>> {
    let mut partitions = driver.tree().partitions();
    partitions.retain(|partition| {
        // Most are not of that segment, and are not locked for it.
        let Some(last) = last_unsettled.get(&partition.id()) else {
            return false;
        };
        partition.first_unsealed().is_some_and(|first| first <= *last)
    });
    partitions
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests;
