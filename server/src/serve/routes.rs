//! All that is served on the one port: HTTP and gRPC, told apart by their paths.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Router;
use catalog::{CatalogRead, CatalogWrite};
use query::QueryEngine;
use router::Edge;
use tonic::service::Routes;

use super::Error;
use super::node::Node;
use super::status::{self, Status};
use crate::config::ServeConfig;

/// The routes of a node.
pub(super) fn of(config: &ServeConfig, node: &Node) -> Result<Router, Error> {
    let edge = edge(config, node);
    let engine = engine(config, node)?;
    let grpc = Routes::new(router::write_service(&edge))
        .add_service(router::persist_service(&edge))
        .add_service(query::flight::service(engine.clone()));
    let status =
        Status { ingester: Arc::clone(&node.ingester), registry: Arc::clone(&node.registry) };
    let routes = Router::new()
        .merge(router::http_routes(&edge))
        .merge(query::http::routes(engine))
        .merge(status::routes(status))
        .merge(grpc.prepare().into_axum_router());
    let routes = router::with_nothing_elsewhere(routes);
    let routes = router::with_bodies_read(routes, config.max_body_size.0);
    Ok(router::with_request_ids(routes, Arc::clone(&node.randomness)))
}

fn edge(config: &ServeConfig, node: &Node) -> Arc<Edge> {
    let deps = router::Deps {
        catalog: Arc::clone(&node.catalog) as Arc<dyn CatalogWrite>,
        sink: node.ingester.sink(),
        gate: node.ingester.gate(),
        persist: node.ingester.persist(),
        clock: Arc::clone(&node.clock),
        randomness: Arc::clone(&node.randomness),
        pool: Arc::clone(&node.pool),
    };
    Edge::new(config.edge(), deps, &mut node.registry.lock())
}

fn engine(config: &ServeConfig, node: &Node) -> Result<QueryEngine, Error> {
    let query_config = query::Config {
        query_timeout: config.query_timeout,
        queries_max: NonZeroUsize::new(config.limits.queries).unwrap_or(NonZeroUsize::MIN),
        memory_limit_bytes: node.memory.query_share(),
        position_timeout: config.limits.position_timeout,
        slow_query: config.slow_query,
        target_partitions: config.persist_workers,
    };
    let deps = query::Deps {
        catalog: Arc::clone(&node.catalog) as Arc<dyn CatalogRead>,
        buffer: node.ingester.buffer(),
        store: Arc::clone(&node.store),
        clock: Arc::clone(&node.clock),
        randomness: Arc::clone(&node.randomness),
        pool: Arc::clone(&node.pool),
        memory: Arc::clone(&node.memory),
    };
    Ok(QueryEngine::new(query_config, deps)?)
}
