//! Drives a query to its end, at the pace of whoever reads the answer, but not beyond its time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use types::error::panic_text;

use super::deadline::Deadline;
use super::running::RunningQuery;
use crate::error::Error;

/// How many batches wait for a reader. Few: they are memory that nobody accounts for.
const BATCHES_AHEAD: usize = 2;

/// The rows of `rows` by way of a task that holds all that the query needs.
///
/// The task sees the deadline even if nobody reads, so that a client that stalls cannot keep its
/// permit; and a panic ends the task and nothing else. Dropping the stream ends the task.
pub(super) fn drive(
    rows: SendableRecordBatchStream,
    deadline: Deadline,
    running: RunningQuery,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let (tx, rx) = mpsc::channel(BATCHES_AHEAD);
    let task = SpawnedTask::spawn(async move {
        let done = deadline.limit(forward(rows, tx)).await;
        drop(running);
        done?
    });
    let answer = stream::unfold((rx, Some(task)), |(mut rx, task)| async move {
        let task = task?;
        match rx.recv().await {
            Some(batch) => Some((Ok(batch), (rx, Some(task)))),
            None => {
                let error = task.await.map_err(ended).flatten().err()?;
                Some((Err(error.into()), (rx, None)))
            }
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), answer))
}

async fn forward(
    mut rows: SendableRecordBatchStream,
    tx: mpsc::Sender<RecordBatch>,
) -> Result<(), Error> {
    while let Some(batch) = rows.next().await {
        if tx.send(batch?).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What a task says that ended without a result.
pub(super) fn ended(error: JoinError) -> Error {
    let reason = match error.try_into_panic() {
        Ok(panic) => format!("it panicked: {}", panic_text(panic.as_ref())),
        Err(cancelled) => cancelled.to_string(),
    };
    Error::Fault { reason }
}
