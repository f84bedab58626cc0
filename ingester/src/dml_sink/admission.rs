//! Lets writes in: only while this node takes them, and only with memory reserved.

mod gate;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinError;
use types::seam::{DmlError, DmlSink};
use types::{Position, Write};

pub(crate) use self::gate::{AdmissionLimits, Gate, Saturation};
use crate::state::IngestState;

/// Decorates a sink: writes come in only while this node takes them, and those that came in go on to
/// their end, whether or not their client waits for it.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    inner: Arc<S>,
    gate: Arc<Gate>,
}

impl<S> Admission<S> {
    pub(crate) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner: Arc::new(inner), gate }
    }
}

#[async_trait]
impl<S: DmlSink + 'static> DmlSink for Admission<S> {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        let begun = IngestState::begin_write(self.gate.state());
        let under_way = begun.map_err(|phase| self.gate.takes_no_writes(phase))?;
        let inner = Arc::clone(&self.inner);
        // A task of its own: a request that is dropped must not stop between two steps.
        let applied = tokio::spawn(async move {
            let outcome = inner.apply(write).await;
            drop(under_way);
            outcome
        });
        let ended = |ended: JoinError| DmlError::Unknown { reason: ended.to_string() };
        applied.await.map_err(ended)?
    }
}
