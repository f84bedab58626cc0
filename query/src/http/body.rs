//! The body of an answer: rendered chunk by chunk while the query runs.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::body::{Body, Bytes};
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::format::Renderer;
use crate::error::Error;
use crate::front::{Watch, contained};

/// How many rows are rendered at a time. At a few hundred bytes a row a chunk stays below a
/// megabyte, however large the batches of the query are.
const ROWS_PER_CHUNK: usize = 1024;

/// Starts to render `rows`, and returns once there is a first chunk.
///
/// # Errors
///
/// What the query failed with before its first row.
pub(super) async fn start(
    rows: SendableRecordBatchStream,
    renderer: Box<dyn Renderer>,
    watch: Arc<Watch>,
) -> Result<Body, Error> {
    let rendering = Rendering { rows, slices: VecDeque::new(), renderer: Some(renderer) };
    let mut chunks = Box::pin(contained(rendering.into_stream()));
    let first = stream::iter(chunks.next().await.transpose()?.map(Ok));
    let rest = chunks.inspect_err(move |error| watch.failed(error));
    Ok(Body::from_stream(first.chain(rest)))
}

/// What stands after the last row. A table is laid out only now, and all of it: that is not done
/// on the threads that serve requests. The work keeps its memory with it if nobody waits any more.
async fn finish(mut renderer: Box<dyn Renderer>) -> Result<Vec<u8>, Error> {
    let laid_out = SpawnedTask::spawn_blocking(move || {
        renderer.finish()?;
        Ok::<_, Error>(renderer.take())
    });
    let finished = laid_out.join_unwind().await;
    finished.map_err(|cancelled| Error::Fault { reason: cancelled.to_string() })?
}

/// A query's rows on their way through a renderer.
struct Rendering {
    rows: SendableRecordBatchStream,
    /// What is left of the batch that was read last.
    slices: VecDeque<RecordBatch>,
    /// `None` once the end is rendered.
    renderer: Option<Box<dyn Renderer>>,
}

impl Rendering {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        stream::try_unfold(self, |mut rendering| async move {
            let chunk = rendering.next().await?;
            Ok(chunk.map(|chunk| (chunk, rendering)))
        })
    }

    /// The next chunk that is not empty, or nothing after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.renderer.is_some() {
            let slice = self.next_slice().await?;
            let Some(mut renderer) = self.renderer.take() else {
                break;
            };
            let chunk = match slice {
                Some(slice) => {
                    renderer.add(&slice)?;
                    let chunk = renderer.take();
                    self.renderer = Some(renderer);
                    chunk
                }
                None => finish(renderer).await?,
            };
            if !chunk.is_empty() {
                return Ok(Some(chunk.into()));
            }
        }
        Ok(None)
    }

    /// The next rows, never none at all: a head must not be rendered before there are rows.
    async fn next_slice(&mut self) -> Result<Option<RecordBatch>, Error> {
        while self.slices.is_empty() {
            let Some(batch) = self.rows.next().await.transpose()? else {
                return Ok(None);
            };
            let starts = (0..batch.num_rows()).step_by(ROWS_PER_CHUNK);
            let slice = |start| batch.slice(start, ROWS_PER_CHUNK.min(batch.num_rows() - start));
            self.slices.extend(starts.map(slice));
        }
        Ok(self.slices.pop_front())
    }
}
