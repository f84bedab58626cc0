//! Starts an ingester: opens the log, registers the epoch, wires the parts, replays.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Action, CatalogRead, CatalogWrite, Command};
use object_store::ObjectStore;
use persist::PersistHandle;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use types::effect::{Clock, Lost, Pool, Randomness, offload};
use types::{Epoch, LogId, Lsn, MemoryBudget, Reservation};
use wal::{Recovery, Vouched};

use super::endless::{Endless, task};
use super::{Failure, Node};
use crate::buffer_tree::{BufferLimits, BufferQueryExec, BufferTree, Serving};
use crate::config::Config;
use crate::dml_sink::admission::{Admission, AdmissionLimits, Gate, Saturation};
use crate::dml_sink::partition_limit::PartitionLimit;
use crate::dml_sink::wal_sink::{Encoder, WalSink};
use crate::error::Error;
use crate::ingester::Ingester;
use crate::metrics::{StateCollector, WalMetrics};
use crate::persisting::completion::{Completion, SettledJobs};
use crate::persisting::driver::PersistDriver;
use crate::persisting::hot_queue::{HotPartition, HotQueue};
use crate::persisting::housekeeping::Housekeeping;
use crate::persisting::on_demand::PersistOnDemand;
use crate::persisting::segment_dropper::{DropSignal, SegmentDropper};
use crate::persisting::triggers::{self, Rotator};
use crate::published::PublishedLsn;
use crate::publisher::Publisher;
use crate::replay::{Pace, Replay, ReplayMemory, ReplaySummary};
use crate::retry_after::RetryAfter;
use crate::schema_commit::{CatalogSchemaCommit, OverdueCommits};
use crate::state::IngestState;
use crate::wal_appender::LogAppender;
use crate::wal_tracker::WalTracker;

/// What an ingester is given.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where the log is.
    pub wal_dir: PathBuf,
    /// The effects of the log.
    pub wal: wal::Deps,
    /// The catalog.
    pub catalog: Arc<dyn CatalogWrite>,
    /// Where files go.
    pub store: Arc<dyn ObjectStore>,
    /// Where files are sorted and encoded.
    pub cpu: Arc<dyn Pool>,
    /// Measures ages; orders nothing.
    pub clock: Arc<dyn Clock>,
    /// Draws ids.
    pub randomness: Arc<dyn Randomness>,
    /// Runs what blocks or computes for long.
    pub pool: Arc<dyn Pool>,
    /// The memory of this process.
    pub memory: Arc<MemoryBudget>,
}

/// Starts an ingester on the current runtime. It replays its log in the background: until then it
/// takes no writes and answers no queries.
///
/// # Errors
///
/// [`Error::Log`] if the log is corrupt, in use or of another copy; [`Error::Catalog`] if the
/// epoch cannot be registered.
pub async fn start(
    config: Config,
    deps: Deps,
    registry: &mut Registry,
) -> Result<Arc<dyn Ingester>, Error> {
    let opened = OpenedLog::open(&config, &deps).await?;
    Parts::assemble(config, deps, opened, registry)?.run(registry)
}

/// A recovered log whose next epoch is registered.
struct OpenedLog {
    recovery: Recovery,
    id: LogId,
    epoch: Epoch,
}

impl OpenedLog {
    async fn open(config: &Config, deps: &Deps) -> Result<Self, Error> {
        let snapshot = deps.catalog.refresh().await?;
        // One log a node: the catalog of a fresh node knows none.
        let vouched =
            snapshot.logs().next().map_or(
                Vouched { log: None, epoch: Epoch::ZERO, lsn: Lsn::ZERO },
                |(id, entry)| Vouched { log: Some(id), epoch: entry.epoch, lsn: entry.lsn },
            );
        let (dir, wal_config, wal_deps) =
            (deps.wal_dir.clone(), config.wal.clone(), deps.wal.clone());
        let recover = move || Recovery::open(&dir, wal_config, wal_deps, vouched);
        let recovered = offload(&*deps.pool, recover).await;
        let recovery = recovered.map_err(|Lost| Error::lost("recover the log"))??;
        let (id, epoch) = (recovery.log_id(), recovery.epoch().next());
        let open = Command::new(Action::OpenLog { log: id, epoch }, &*deps.randomness);
        deps.catalog.apply(open).await?;
        Ok(Self { recovery, id, epoch })
    }
}

/// Everything but the log's thread and the tasks.
struct Parts {
    config: Config,
    deps: Deps,
    opened: OpenedLog,
    state: Arc<IngestState>,
    tracker: Arc<WalTracker>,
    tree: Arc<BufferTree>,
    published: PublishedLsn,
    dropper: DropSignal,
    settled: SettledJobs,
    driver: PersistDriver,
    hot: tokio::sync::mpsc::UnboundedReceiver<HotPartition>,
    gate: Arc<Gate>,
    metrics: Arc<WalMetrics>,
}

impl Parts {
    fn assemble(
        config: Config,
        deps: Deps,
        opened: OpenedLog,
        registry: &mut Registry,
    ) -> Result<Self, Error> {
        let state = Arc::new(IngestState::new());
        let tracker = Arc::new(WalTracker::default());
        let published = PublishedLsn::new(Lsn::ZERO);
        let (dropper, settled) = (DropSignal::default(), SettledJobs::new());
        let (hot_queue, hot) = HotQueue::new();
        let limits = BufferLimits {
            hot_partition_bytes: config.hot_partition_size,
            query_bytes_max: deps.memory.query_share(),
        };
        let clock = Arc::clone(&deps.clock);
        let tree =
            Arc::new(BufferTree::new(limits, Arc::new(hot_queue), clock, Arc::clone(&deps.memory)));
        let completion = Completion {
            tree: Arc::clone(&tree),
            tracker: Arc::clone(&tracker),
            dropper: dropper.clone(),
            settled: settled.clone(),
        };
        let handle = persist_handle(&config, &deps, &opened, &published, completion);
        handle.register(registry);
        let gate = Arc::new(Gate::new(
            Arc::clone(&state),
            Arc::clone(&deps.memory),
            Arc::new(PersistSaturation(handle.clone())),
            admission_limits(&config, &deps.memory),
            Arc::clone(&deps.clock),
            Arc::clone(&deps.randomness),
        ));
        let driver = PersistDriver::new(Arc::clone(&tree), handle);
        let metrics = Arc::new(WalMetrics::new(registry));
        Ok(Self {
            config,
            deps,
            opened,
            state,
            tracker,
            tree,
            published,
            dropper,
            settled,
            driver,
            hot,
            gate,
            metrics,
        })
    }

    /// Starts the log's thread and the tasks.
    fn run(self, registry: &mut Registry) -> Result<Arc<dyn Ingester>, Error> {
        let OpenedLog { recovery, id, epoch } = self.opened;
        let segments = recovery.segments().to_vec();
        self.metrics.recovered(recovery.torn_tails());
        let last_recovered = Lsn::new(recovery.next_lsn().get().saturating_sub(1));
        let publisher = Publisher {
            inner: Arc::clone(&self.tree),
            tracker: Arc::clone(&self.tracker),
            published: self.published.clone(),
            sealed: Arc::new(self.dropper.clone()),
            metrics: self.metrics,
            retry: retry_after(&self.deps),
            held: Vec::new(),
        };
        let log = recovery.start(epoch, publisher)?;
        registry.register_collector(Box::new(StateCollector {
            tree: Arc::clone(&self.tree),
            budget: Arc::clone(&self.deps.memory),
            log: log.clone(),
            published: self.published.clone(),
            clock: Arc::clone(&self.deps.clock),
        }));
        let dropper = Arc::new(SegmentDropper {
            tracker: Arc::clone(&self.tracker),
            log: log.clone(),
            log_id: id,
            epoch,
            catalog: Arc::clone(&self.deps.catalog),
            randomness: Arc::clone(&self.deps.randomness),
            pool: Arc::clone(&self.deps.pool),
            signal: self.dropper.clone(),
        });
        let replay = Replay {
            log: log.clone(),
            log_id: id,
            segments,
            catalog: self.deps.catalog.snapshot(),
            tree: Arc::clone(&self.tree),
            tracker: Arc::clone(&self.tracker),
            dropper: self.dropper,
            state: Arc::clone(&self.state),
            memory: Arc::new(GateMemory(Arc::clone(&self.gate))),
            pool: Arc::clone(&self.deps.pool),
            clock: Arc::clone(&self.deps.clock),
            pace: Pace::within(
                admission_limits(&self.config, &self.deps.memory).open_bytes,
                self.config.persist.workers,
            ),
        };
        let rotator = Rotator { log: log.clone(), pool: Arc::clone(&self.deps.pool) };
        let failure: Arc<Failure> = Arc::new(watch::Sender::new(None));
        let (driver, config) = (self.driver, self.config);
        let clock = Arc::clone(&self.deps.clock);
        let housekeeping = Arc::new(Housekeeping::default());
        let (tree, tracker) = (&self.tree, &self.tracker);
        let endless = Endless(Arc::clone(&failure));
        let tasks = vec![
            endless
                .run("persist hot partitions", triggers::hot_partitions(driver.clone(), self.hot)),
            endless.run("do housekeeping", Arc::clone(&housekeeping).run(driver.clone())),
            endless.run(
                "watch ages",
                triggers::age(
                    Arc::clone(tree),
                    Arc::clone(&housekeeping),
                    clock,
                    config.persist_max_age,
                ),
            ),
            endless.run(
                "rotate",
                triggers::rotation(
                    Arc::clone(tree),
                    Arc::clone(&housekeeping),
                    rotator.clone(),
                    config.rotation_period,
                    config.hot_partition_size,
                ),
            ),
            endless.run(
                "watch the number of partitions",
                triggers::partition_count(
                    Arc::clone(tree),
                    housekeeping,
                    config.buffered_partitions_max,
                ),
            ),
            endless.run(
                "watch memory",
                triggers::memory_pressure(driver.clone(), Arc::clone(&self.gate)),
            ),
            endless.run(
                "watch the size of the log",
                triggers::log_bytes(
                    driver.clone(),
                    rotator,
                    Arc::clone(tracker),
                    Arc::clone(&self.state),
                    config.wal.max_size,
                ),
            ),
            endless.run("drop segments", Arc::clone(&dropper).run()),
            task(fail_when_fenced(driver.handle().clone(), Arc::clone(&failure))),
            task(replay_and_open(
                replay,
                last_recovered,
                self.published.clone(),
                Arc::clone(&failure),
            )),
        ];
        let overdue = OverdueCommits::default();
        overdue.register(registry);
        let schema = Arc::new(CatalogSchemaCommit {
            catalog: Arc::clone(&self.deps.catalog),
            randomness: Arc::clone(&self.deps.randomness),
            retry: retry_after(&self.deps),
            overdue: overdue.clone(),
        });
        let appender = LogAppender::new(log.clone(), config.wal, retry_after(&self.deps));
        let gate = Arc::clone(&self.gate);
        let encoder = Encoder { pool: Arc::clone(&self.deps.pool), gate };
        let wal_sink = WalSink::new(Arc::new(appender), schema, encoder, (id, epoch));
        let limited = PartitionLimit::new(
            wal_sink,
            Arc::clone(&self.tree),
            config.buffered_partitions_max,
            retry_after(&self.deps),
        );
        let pool = self.deps.pool;
        let serving: Arc<dyn Serving> = Arc::clone(&self.gate) as Arc<dyn Serving>;
        let buffer = BufferQueryExec::new(self.tree, serving, self.published.clone(), (id, epoch));
        Ok(Arc::new(Node {
            sink: Arc::new(Admission::new(limited, Arc::clone(&self.gate))),
            gate: self.gate,
            buffer: Arc::new(buffer),
            persist: driver.handle().clone(),
            on_demand: Arc::new(PersistOnDemand {
                driver,
                catalog: self.deps.catalog as Arc<dyn CatalogRead>,
                published: self.published,
                settled: self.settled,
                state: Arc::clone(&self.state),
            }),
            state: self.state,
            log,
            pool,
            dropper,
            failure,
            overdue,
            _tasks: tasks,
        }))
    }
}

fn persist_handle(
    config: &Config,
    deps: &Deps,
    opened: &OpenedLog,
    published: &PublishedLsn,
    completion: Completion,
) -> PersistHandle {
    let published = published.clone();
    let within_floor = config.persist_within_floor(deps.memory.limit());
    let deps = persist::Deps {
        catalog: Arc::clone(&deps.catalog),
        store: Arc::clone(&deps.store),
        clock: Arc::clone(&deps.clock),
        randomness: Arc::clone(&deps.randomness),
        observer: Arc::new(completion),
        log: opened.id,
        epoch: opened.epoch,
        published: Arc::new(move || published.get()),
        cpu: Arc::clone(&deps.cpu),
        memory: Arc::clone(&deps.memory),
    };
    PersistHandle::new(within_floor, deps)
}

/// Requests and the buffer have what the floors of queries and persist jobs leave; at least a
/// quarter, so that a tiny budget still takes writes.
fn admission_limits(config: &Config, memory: &MemoryBudget) -> AdmissionLimits {
    let floors = memory.query_share() + config.persist_floor(memory.limit());
    let open_bytes = memory.limit().saturating_sub(floors).max(memory.limit() / 4);
    AdmissionLimits { open_bytes, saturated_bytes: open_bytes / 2, wait: config.admission_wait }
}

/// One of its own for something that fills up by itself.
fn retry_after(deps: &Deps) -> RetryAfter {
    RetryAfter::new(Arc::clone(&deps.clock), Arc::clone(&deps.randomness))
}

/// Replays, and opens the node for writes and queries if that succeeds.
async fn replay_and_open(
    replay: Replay,
    last_recovered: Lsn,
    published: PublishedLsn,
    failure: Arc<Failure>,
) {
    let state = Arc::clone(&replay.state);
    // A task of its own, so that a panic in it is an error and not the end of the waiting.
    let replayed = AbortOnDropHandle::new(tokio::spawn(async move { replay.run().await }));
    let summary = replayed.await.unwrap_or_else(|error| {
        Err(Error::Task { task: "replay the log", message: error.to_string() })
    });
    match summary {
        Ok(_) if state.is_draining() => tracing::info!("the node ends before its log is replayed"),
        Ok(summary) => {
            published.raise(last_recovered);
            state.ready();
            let ReplaySummary { segments, batches, skipped } = summary;
            tracing::info!(segments, batches, skipped, "the log is replayed, ready");
        }
        Err(error) => {
            failure.send_replace(Some(Arc::new(error)));
        }
    }
}

/// Another process owns the log: this one must end.
async fn fail_when_fenced(persist: PersistHandle, failure: Arc<Failure>) {
    if persist.watch_fenced().wait_for(|fenced| *fenced).await.is_ok() {
        let reason = persist.fenced().map_or(Error::Fenced, Error::Persist);
        failure.send_replace(Some(Arc::new(reason)));
    }
}

/// Saturation as the persist actor sees it.
#[derive(Debug)]
struct PersistSaturation(PersistHandle);

impl Saturation for PersistSaturation {
    fn is_saturated(&self) -> bool {
        self.0.is_saturated()
    }

    fn watch(&self) -> watch::Receiver<bool> {
        self.0.watch_saturation()
    }
}

/// Memory for the replay.
#[derive(Debug)]
struct GateMemory(Arc<Gate>);

#[async_trait]
impl ReplayMemory for GateMemory {
    async fn wait_for(&self, bytes: u64) -> Reservation {
        self.0.reserve_for_replay(bytes).await
    }
}
