//! The DataFusion session of a query.

use std::sync::Arc;

use arrow::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::memory::QueryMemory;
use super::running::RunningQueries;
use crate::config::{Config, Deps};
use crate::database::DatabaseTables;
use crate::error::Error;
use crate::system::SystemTables;
use crate::view::View;

/// The names that InfluxDB 3 gives to the catalog and the schema of the user's tables: its users
/// find what they know in `information_schema`.
const CATALOG: &str = "public";
const SCHEMA: &str = "iox";
const SYSTEM_SCHEMA: &str = "system";

/// A session without tables.
pub(super) fn prototype(config: &Config, memory: Arc<QueryMemory>) -> Result<SessionState, Error> {
    // Nothing is spilled: queries that need more memory than they get fail, and no query fills the
    // disk that the log needs.
    let no_spilling = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(memory)
        .with_disk_manager_builder(no_spilling)
        .build_arc()?;
    let mut settings = SessionConfig::new()
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_target_partitions(config.target_partitions.get());
    // Clients of Arrow Flight know plain strings; not all of them know string views.
    settings.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let state = SessionStateBuilder::new()
        .with_config(settings)
        .with_runtime_env(runtime)
        .with_default_features();
    Ok(state.build())
}

/// The session of one query: the tables of `view`, and the time that `now()` says.
pub(super) fn of_query(
    prototype: &SessionState,
    view: &Arc<View>,
    running: &Arc<RunningQueries>,
    deps: &Deps,
) -> SessionState {
    let catalog = MemoryCatalogProvider::new();
    // Both names are new to a catalog that was made just now, so registering them cannot fail.
    let _ = catalog.register_schema(SCHEMA, Arc::new(DatabaseTables::new(view)));
    let _ = catalog.register_schema(SYSTEM_SCHEMA, Arc::new(SystemTables::new(view, running)));
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    let mut session = SessionStateBuilder::new_from_existing(prototype.clone())
        .with_catalog_list(Arc::new(catalogs))
        .build();
    session.mark_start_execution();
    let now = timestamp_ns_to_datetime(deps.clock.now_ns());
    let props = session.execution_props_mut();
    props.query_execution_start_time = now.map(|now| now.and_utc());
    session
}
