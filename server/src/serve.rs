//! The server: everything in one process, wired here and nowhere else.
//!
//! Start: bind the port, open the catalog, open the log, serve; the log is replayed meanwhile.
//! End: refuse writes, persist, serve queries to the end, stop listening, close the log and the
//! catalog.

mod connections;
mod error;
mod node;
mod protocols;
mod routes;
mod signals;
mod status;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) use error::Error;

use crate::config::ServeConfig;
use connections::LimitedListener;
use ingester::Drained;
use node::Node;
use signals::Signals;

/// What is left of the time for a shutdown is never less than this for the connections: answers
/// that are ready shall get out.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Runs until a signal ends it.
///
/// # Errors
///
/// [`Error`] with what the process cannot go on from.
pub(crate) async fn run(config: ServeConfig) -> Result<(), Error> {
    let mut signals = Signals::take_over()?;
    let bind = config.bind;
    let listener =
        TcpListener::bind(bind).await.map_err(|source| Error::Bind { address: bind, source })?;
    let address = listener.local_addr().map_err(|source| Error::Bind { address: bind, source })?;
    let node = Node::start(&config).await?;
    let listener = LimitedListener::new(listener, config.limits.connections);
    let (stop, stopped) = oneshot::channel::<()>();
    let routes = routes::of(&config, &node)?;
    let mut serving = tokio::spawn(protocols::serve(listener, routes, stopped));
    tracing::info!(%address, "listening");

    tokio::select! {
        signal = signals.next() => tracing::info!(signal, "draining; once more ends at once"),
        error = node.ingester.failed() => return Err(Error::Failed(error)),
        ended = &mut serving => return Err(Error::served(ended)),
    }
    tokio::spawn(end_at_once(signals));
    let deadline = Instant::now() + config.shutdown_timeout;
    report(node.ingester.drain(config.shutdown_timeout).await);
    drop(stop);
    let last = deadline.max(Instant::now() + LAST_ANSWERS);
    if tokio::time::timeout_at(last, serving).await.is_err() {
        tracing::warn!("connections were cut at the shutdown timeout");
    }
    node.close().await
}

fn report(drained: Drained) {
    match drained {
        Drained::Completely => tracing::info!("everything is in files"),
        Drained::Partly => tracing::warn!("what is not in files is replayed at the next start"),
    }
}

/// Ends the process at the next signal; what was acknowledged is in the log.
async fn end_at_once(mut signals: Signals) {
    let signal = signals.next().await;
    tracing::warn!(signal, "ending at once");
    std::process::exit(i32::from(crate::exit::Code::Failure.number()));
}
