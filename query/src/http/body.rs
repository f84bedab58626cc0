//! The body of an answer: rendered chunk by chunk while the query runs.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::body::{Body, Bytes};
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use types::effect::Pool;

use super::format::Renderer;
use crate::error::Error;
use crate::front::{Watch, contained};
use crate::on_pool::on_pool;

/// How many rows are rendered at a time. At a few hundred bytes a row a chunk stays below a
/// megabyte, however large the batches of the query are.
const ROWS_PER_CHUNK: usize = 1024;

/// Starts to render `rows`, and returns once there is a first chunk. What is laid out at once is
/// laid out on `pool`.
///
/// # Errors
///
/// What the query failed with before its first row.
pub(super) async fn start(
    rows: SendableRecordBatchStream,
    renderer: Box<dyn Renderer>,
    watch: Arc<Watch>,
    pool: Arc<dyn Pool>,
) -> Result<Body, Error> {
    let renderer = Some(renderer);
    let rendering = Rendering { rows, slices: VecDeque::new(), renderer, pool };
    let mut chunks = Box::pin(contained(rendering.into_stream()));
    let first = stream::iter(chunks.next().await.transpose()?.map(Ok));
    let rest = chunks.inspect_err(move |error| watch.failed(error));
    Ok(Body::from_stream(first.chain(rest)))
}

/// What stands after the last row. A table is laid out only now, and all of it: that is not done
/// on the threads that serve requests. The work keeps its memory with it if nobody waits any more.
async fn finish(mut renderer: Box<dyn Renderer>, pool: &dyn Pool) -> Result<Vec<u8>, Error> {
    let lay_out = move || {
        renderer.finish()?;
        Ok::<_, Error>(renderer.take())
    };
    on_pool(pool, lay_out).await?
}

/// A query's rows on their way through a renderer.
struct Rendering {
    rows: SendableRecordBatchStream,
    /// What is left of the batch that was read last.
    slices: VecDeque<RecordBatch>,
    /// `None` once the end is rendered.
    renderer: Option<Box<dyn Renderer>>,
    pool: Arc<dyn Pool>,
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
                None => finish(renderer, self.pool.as_ref()).await?,
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
