//! Waiting for a store or a catalog that is down: slowly, visibly, for ever.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use crate::backoff::Backoff;
use crate::context::Context;
use crate::error::Error;

/// A commit takes milliseconds. So a catalog that has not answered for so long is shown as one that
/// fails, long before the call is given up. (A store may well take as long for a large file.)
const OVERDUE_AFTER: Duration = Duration::from_secs(3);

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
    /// True if the log has a line of it.
    logged: bool,
}

impl Trouble {
    fn new(context: &Context, dependency: Dependency) -> Self {
        let gauge = context.metrics.retrying(dependency).clone();
        gauge.inc();
        Self { dependency, gauge, logged: false }
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

    /// The answer of `call`, or nothing if it takes longer than `limit`. As soon as it is overdue,
    /// the job is shown to wait for `dependency`.
    pub(crate) async fn answer<T>(
        &mut self,
        dependency: Dependency,
        limit: Duration,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let mut call = pin!(within(limit, call));
        if let Some(answer) = within(OVERDUE_AFTER, call.as_mut()).await {
            return answer;
        }
        self.show(dependency);
        call.await
    }

    /// `dependency` failed: says so when it begins, and waits.
    pub(crate) async fn failed(&mut self, dependency: Dependency, error: &Error) {
        let trouble = self.show(dependency);
        if !mem::replace(&mut trouble.logged, true) {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(?dependency, %error, source, "persisting waits and tries again");
        }
        self.backoff.wait().await;
    }

    fn show(&mut self, dependency: Dependency) -> &mut Trouble {
        let known = self.trouble.take().filter(|trouble| trouble.dependency == dependency);
        let trouble = known.unwrap_or_else(|| Trouble::new(&self.context, dependency));
        self.trouble.insert(trouble)
    }

    /// What failed works again.
    pub(crate) fn recovered(&mut self) {
        if let Some(trouble) = self.trouble.take()
            && trouble.logged
        {
            tracing::info!(dependency = ?trouble.dependency, "persisting goes on");
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
