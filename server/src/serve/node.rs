//! The parts of the server that outlive a connection.

use std::sync::Arc;

use catalog::{CatalogWrite, EmbeddedCatalog};
use ingester::Ingester;
use object_store::ObjectStore;
use parking_lot::Mutex;
use persist::CpuPool;
use prometheus_client::registry::Registry;
use types::MemoryBudget;
use types::effect::{Clock, Disk, Lost, Pool, Randomness, SystemThreads, offload};
use wal::disk::RealDisk;

use super::{Error, store};
use crate::config::ServeConfig;
use crate::effect::{BlockingPool, OsRandomness, SystemClock};

/// A catalog, an ingester and a store, with the effects that all share.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) catalog: Arc<EmbeddedCatalog>,
    pub(super) ingester: Arc<dyn Ingester>,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) memory: Arc<MemoryBudget>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) randomness: Arc<dyn Randomness>,
    pub(super) pool: Arc<dyn Pool>,
    pub(super) registry: Arc<Mutex<Registry>>,
}

impl Node {
    /// Opens the catalog and the log, and begins to replay.
    pub(super) async fn start(config: &ServeConfig) -> Result<Self, Error> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        Self::start_on(config, store::open(&config.object_store, &config.data_dir, &disk)?).await
    }

    /// The same over a store that is open already.
    pub(super) async fn start_on(
        config: &ServeConfig,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let randomness: Arc<dyn Randomness> = Arc::new(OsRandomness);
        let pool: Arc<dyn Pool> = Arc::new(BlockingPool::current());
        let cpu = CpuPool::start(config.persist_workers).map_err(Error::CpuPool)?;
        let memory = MemoryBudget::new(config.memory_budget.0);
        let wal_deps = wal::Deps {
            disk: Arc::new(RealDisk),
            clock: Arc::clone(&clock),
            randomness: Arc::clone(&randomness),
            threads: Arc::new(SystemThreads),
            fatal: Arc::new(wal::ExitProcess),
        };
        let catalog = open_catalog(config, wal_deps.clone(), pool.as_ref()).await?;
        let mut registry = Registry::default();
        let deps = ingester::Deps {
            wal_dir: config.data_dir.join("wal"),
            wal: wal_deps,
            catalog: Arc::clone(&catalog) as Arc<dyn CatalogWrite>,
            store: Arc::clone(&store),
            cpu: Arc::new(cpu),
            pool: Arc::clone(&pool),
            clock: Arc::clone(&clock),
            randomness: Arc::clone(&randomness),
            memory: Arc::clone(&memory),
        };
        let ingester = ingester::start(ingester_config(config), deps, &mut registry).await?;
        let registry = Arc::new(Mutex::new(registry));
        Ok(Self { catalog, ingester, store, memory, clock, randomness, pool, registry })
    }

    /// Closes the log, then the catalog.
    pub(super) async fn close(self) -> Result<(), Error> {
        self.ingester.close().await?;
        let catalog = Arc::clone(&self.catalog);
        let closed = offload(self.pool.as_ref(), move || catalog.close()).await;
        Ok(closed.map_err(|Lost| Error::Task)??)
    }
}

async fn open_catalog(
    config: &ServeConfig,
    deps: wal::Deps,
    pool: &dyn Pool,
) -> Result<Arc<EmbeddedCatalog>, Error> {
    let dir = config.data_dir.join("catalog");
    let limits = catalog::Limits {
        databases_max: config.limits.databases,
        tables_max: config.limits.tables,
        columns_max: config.limits.columns,
    };
    let catalog_config = catalog::Config { limits, ..catalog::Config::default() };
    let open = move || EmbeddedCatalog::open(dir, &catalog_config, deps);
    let opened = offload(pool, open).await.map_err(|Lost| Error::Task)?;
    Ok(Arc::new(opened?))
}

fn ingester_config(config: &ServeConfig) -> ingester::Config {
    let persist = persist::Config {
        queue_depth: config.persist_queue_depth,
        ..persist::Config::for_cores(config.persist_workers)
    };
    ingester::Config {
        wal: wal::Config {
            segment_size: config.wal_segment_size.0,
            max_size: config.wal_max_size.0,
            ballast_size: config.wal_ballast().0,
            ..wal::Config::default()
        },
        persist,
        hot_partition_size: config.persist_hot_partition_size.0,
        buffered_partitions_max: config.limits.buffered_partitions,
        persist_max_age: config.persist_max_age,
        rotation_period: config.rotation_period,
        admission_wait: config.limits.admission_timeout,
    }
}
