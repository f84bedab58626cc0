//! Waiting for a store or a catalog that is down: slowly, visibly, for ever.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use crate::backoff::Backoff;
use crate::context::Context;
use crate::error::Error;

/// What a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// The object store.
    Store,
    /// The catalog.
    Catalog,
}

/// The waits of one job.
#[derive(Debug)]
pub(crate) struct Retry {
    context: Arc<Context>,
    backoff: Backoff,
    /// Grows with each failure of the job's own, whatever worked in between.
    own_backoff: Backoff,
    /// There while the job waits for something that failed.
    trouble: Option<Trouble>,
}

/// Shows in the metrics that a job waits for something.
#[derive(Debug)]
struct Trouble {
    dependency: Dependency,
    gauge: Gauge,
}

impl Trouble {
    fn new(context: &Context, dependency: Dependency) -> Self {
        let gauge = context.metrics.retrying(dependency).clone();
        gauge.inc();
        Self { dependency, gauge }
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

impl Retry {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            backoff: Backoff::new(&context.config, &context.deps.randomness),
            own_backoff: Backoff::new(&context.config, &context.deps.randomness),
            trouble: None,
        }
    }

    /// `dependency` failed: says so when it begins, and waits.
    pub(crate) async fn failed(&mut self, dependency: Dependency, error: &Error) {
        let known = self.trouble.as_ref().map(|trouble| trouble.dependency);
        if known != Some(dependency) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(?dependency, %error, source, "persisting waits and tries again");
            self.trouble = Some(Trouble::new(&self.context, dependency));
        }
        self.backoff.wait().await;
    }

    /// What failed works again.
    pub(crate) fn recovered(&mut self) {
        if let Some(Trouble { dependency, .. }) = &self.trouble {
            tracing::info!(?dependency, "persisting goes on");
            self.trouble = None;
        }
        self.backoff = Backoff::new(&self.context.config, &self.context.deps.randomness);
    }

    /// Waits after a failure of the job's own.
    pub(crate) async fn pause(&mut self) {
        self.own_backoff.wait().await;
    }
}

/// The result of `call`, or nothing if it takes longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, call).await.ok()
}
