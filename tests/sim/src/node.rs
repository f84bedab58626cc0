//! A whole node in one process and on one thread, put together as the server does it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use catalog::{CatalogRead, CatalogWrite, EmbeddedCatalog};
use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode};
use ingester::Ingester;
use object_store::ObjectStore;
use prometheus_client::registry::Registry;
use query::{Answer, QueryEngine};
use router::Edge;
use tower::ServiceExt;
use types::effect::{Clock, Disk, InPlace, Pool, Randomness, Threads};
use types::{DatabaseName, MemoryBudget};

use crate::catalog::FaultyCatalog;
use crate::clock::SimClock;
use crate::moment::Moment;
use crate::plan::Sizes;
use crate::pool::SimPool;
use crate::threads::SimThreads;
use crate::vitals::{SimFatal, Vitals};
use crate::world::World;

/// The log's directory on the modelled disk.
pub(crate) const LOG_DIR: &str = "/data/wal";
/// The catalog's directory.
pub(crate) const CATALOG_DIR: &str = "/data/catalog";
/// The database that all clients use.
pub(crate) const DATABASE: &str = "db";
/// Where lines go: all of them or none.
const WRITE: &str = "/api/v3/write_lp?db=db&precision=ns&accept_partial=false";
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one life of a node is given beside the world.
#[derive(Clone, Debug)]
pub(crate) struct Effects {
    pub(crate) clock: Arc<SimClock>,
    pub(crate) threads: SimThreads,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) randomness: Arc<dyn Randomness>,
    /// Where persist jobs are sorted and encoded.
    pub(crate) cpu: Arc<SimPool>,
    /// The commit of a job that is set aside.
    pub(crate) set_aside: Arc<Moment>,
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) catalog: Arc<EmbeddedCatalog>,
    pub(crate) commands: Arc<FaultyCatalog>,
    pub(crate) ingester: Arc<dyn Ingester>,
    pub(crate) engine: QueryEngine,
    pub(crate) memory: Arc<MemoryBudget>,
    routes: Router,
}

/// What a client knows after a request to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was acknowledged.
    Kept,
    /// It was refused, and nothing was kept.
    Refused,
    /// It was refused, and will be for ever; nothing was kept.
    TooLarge,
    /// It may have been kept.
    Unknown,
    /// It may have been kept, and no good request has this status for an answer.
    Wrong(StatusCode),
}

impl Node {
    /// Opens the catalog and the log, and begins to replay.
    pub(crate) async fn start(
        world: &World,
        effects: &Effects,
        catalog_once_in: Option<u64>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let sizes = &world.plan.sizes;
        let wal_deps = wal_deps(world, effects);
        let opened = EmbeddedCatalog::open(CATALOG_DIR, &catalog_config(sizes), wal_deps.clone())?;
        let catalog = Arc::new(opened);
        let commands = Arc::new(FaultyCatalog {
            inner: Arc::clone(&catalog),
            chance: world.chance.fork(),
            fault_once_in: catalog_once_in,
            trace: world.trace.clone(),
            findings: world.findings.clone(),
            zombies: Arc::clone(&world.zombies),
            set_aside: Arc::clone(&effects.set_aside),
        });
        let memory = MemoryBudget::new(sizes.memory);
        let mut registry = Registry::default();
        let deps = ingester::Deps {
            wal_dir: PathBuf::from(LOG_DIR),
            wal: wal_deps,
            catalog: Arc::clone(&commands) as Arc<dyn CatalogWrite>,
            store: store_of(world),
            clock: Arc::clone(&effects.clock) as Arc<dyn Clock>,
            randomness: Arc::clone(&effects.randomness),
            memory: Arc::clone(&memory),
            pool: in_place(),
            cpu: Arc::clone(&effects.cpu) as Arc<dyn Pool>,
        };
        let ingester = ingester::start(ingester_config(sizes), deps, &mut registry).await?;
        let engine = engine(world, effects, &commands, &ingester, &memory)?;
        let routes = routes(effects, &commands, &ingester, &mut registry);
        Ok(Self { catalog, commands, ingester, engine, memory, routes })
    }

    /// Sends lines, as a client does that waits only so long.
    pub(crate) async fn write(&self, lines: String) -> Sent {
        let length = lines.len();
        let request = Request::post(WRITE).header(CONTENT_LENGTH, length).body(Body::from(lines));
        let Ok(request) = request else { return Sent::Refused };
        let answer = Box::pin(self.routes.clone().oneshot(request));
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, answer).await else {
            return Sent::Unknown;
        };
        let status = answer.status();
        match status {
            StatusCode::NO_CONTENT => Sent::Kept,
            StatusCode::GATEWAY_TIMEOUT => Sent::Unknown,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Sent::Refused,
            StatusCode::PAYLOAD_TOO_LARGE => Sent::TooLarge,
            other => Sent::Wrong(other),
        }
    }

    /// Starts a query.
    pub(crate) async fn ask(&self, sql: String) -> Result<Answer, query::Error> {
        let Ok(database) = DatabaseName::new(DATABASE) else {
            return Err(query::Error::Fault { reason: "the name is good".to_owned() });
        };
        let params = BTreeMap::new();
        let request = query::Request { database, sql, params, position: None };
        Box::pin(self.engine.query(request)).await
    }

    /// Closes the log, then the catalog.
    pub(crate) async fn close(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.ingester.close().await?;
        Ok(self.catalog.close()?)
    }
}

fn in_place() -> Arc<dyn Pool> {
    Arc::new(InPlace)
}

fn store_of(world: &World) -> Arc<dyn ObjectStore> {
    Arc::new(world.store.clone())
}

fn wal_deps(world: &World, effects: &Effects) -> wal::Deps {
    wal::Deps {
        disk: Arc::new(world.disk.clone()) as Arc<dyn Disk>,
        clock: Arc::clone(&effects.clock) as Arc<dyn Clock>,
        randomness: Arc::clone(&effects.randomness),
        threads: Arc::new(effects.threads.clone()) as Arc<dyn Threads>,
        fatal: Arc::new(SimFatal(Arc::clone(&effects.vitals))),
    }
}

fn catalog_config(sizes: &Sizes) -> catalog::Config {
    catalog::Config {
        limits: catalog::Limits::default(),
        segment_size: sizes.catalog_segment,
        snapshot_after_bytes: sizes.snapshot_after,
    }
}

fn ingester_config(sizes: &Sizes) -> ingester::Config {
    let persist = persist::Config {
        queue_depth: sizes.queue_depth,
        row_group_rows: sizes.row_group_rows,
        attempts_before_quarantine: sizes.attempts_before_quarantine,
        attempt_timeout: sizes.attempt_timeout,
        retry_backoff_max: Duration::from_secs(1),
        ..persist::Config::for_cores(sizes.workers)
    };
    ingester::Config {
        wal: wal::Config {
            segment_size: sizes.segment,
            max_size: sizes.segment * sizes.log_segments,
            group_bytes_max: sizes.group,
            compress_from: sizes.compress_from,
            idle_seal: sizes.idle_seal,
            ballast_size: sizes.ballast,
            ..wal::Config::default()
        },
        persist,
        hot_partition_size: sizes.hot_partition,
        buffered_partitions_max: sizes.partitions_max,
        persist_max_age: sizes.max_age,
        rotation_period: sizes.rotation,
        admission_wait: sizes.admission_wait,
    }
}

fn engine(
    world: &World,
    effects: &Effects,
    catalog: &Arc<FaultyCatalog>,
    ingester: &Arc<dyn Ingester>,
    memory: &Arc<MemoryBudget>,
) -> Result<QueryEngine, query::Error> {
    let config = query::Config {
        query_timeout: Duration::from_secs(300),
        queries_max: NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN),
        memory_limit_bytes: memory.query_share(),
        position_timeout: Duration::from_secs(2),
        slow_query: Duration::from_secs(60),
        target_partitions: NonZeroUsize::MIN,
    };
    let deps = query::Deps {
        catalog: Arc::clone(catalog) as Arc<dyn CatalogRead>,
        buffer: ingester.buffer(),
        store: store_of(world),
        clock: Arc::clone(&effects.clock) as Arc<dyn Clock>,
        randomness: Arc::clone(&effects.randomness),
        memory: Arc::clone(memory),
        pool: in_place(),
    };
    QueryEngine::new(config, deps)
}

fn routes(
    effects: &Effects,
    catalog: &Arc<FaultyCatalog>,
    ingester: &Arc<dyn Ingester>,
    registry: &mut Registry,
) -> Router {
    let deps = router::Deps {
        catalog: Arc::clone(catalog) as Arc<dyn CatalogWrite>,
        sink: ingester.sink(),
        gate: ingester.gate(),
        persist: ingester.persist(),
        clock: Arc::clone(&effects.clock) as Arc<dyn Clock>,
        randomness: Arc::clone(&effects.randomness),
        pool: in_place(),
    };
    let config = router::Config { limits: router::Limits::default(), body_bytes_max: 1 << 20 };
    router::http_routes(&Edge::new(config, deps, registry))
}
