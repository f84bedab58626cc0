//! The log of queries: those that were slow, and those that failed for a reason that a human must
//! look at.

use std::sync::Arc;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Span, debug, error, error_span, info};
use types::ErrorKind;
use types::effect::Clock;

use crate::engine::QueryEngine;
use crate::error::Error;
use crate::front::{RequestId, chain};

/// How much of a query's text is logged.
const TEXT_BYTES_MAX: usize = 1024;

/// Watches one request from its start until it and its answer are dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Names the request in all that is logged about it.
    span: Span,
    clock: Arc<dyn Clock>,
    started: Duration,
    slow: Duration,
}

impl Watch {
    /// Starts to watch the request that is called `request_id`.
    pub(crate) fn start(engine: &QueryEngine, request_id: &RequestId) -> Arc<Self> {
        let clock = Arc::clone(&engine.deps().clock);
        let request_id = request_id.as_str();
        Arc::new(Self {
            // Of the level of errors, so that no filter keeps an error and drops its name.
            span: error_span!("query", request_id, database = Empty, text = Empty),
            started: clock.monotonic(),
            slow: engine.config().slow_query,
            clock,
        })
    }

    /// Tells what the request asks for, once that is known.
    pub(crate) fn about(&self, database: &str, text: &str) {
        self.span.record("database", database);
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        self.span.record("text", text);
    }

    /// The span to run the query in.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Logs that the query failed: what its sender has to change, or to wait for, is the sender's
    /// matter.
    pub(crate) fn failed(&self, cause: &Error) {
        let reason = chain(cause);
        self.span.in_scope(|| match cause.kind() {
            ErrorKind::Rejected | ErrorKind::Busy => debug!(reason, "a query was refused"),
            _ => error!(reason, "a query failed"),
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let took = self.clock.monotonic().saturating_sub(self.started);
        if took >= self.slow {
            self.span.in_scope(|| info!(?took, "a query was slow"));
        }
    }
}

#[cfg(test)]
mod tests;
