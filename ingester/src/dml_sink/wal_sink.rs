//! Makes writes durable: the innermost sink. What follows runs after the fsync.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;
use types::effect::{Lost, Pool, offload};
use types::seam::{DmlError, DmlSink, MemoryGate, Rejection};
use types::{Epoch, LogId, Position, SchemaChange, Write};

use crate::wal_appender::{PendingWrite, WalAppender};

/// Batches of more rows than this are encoded off the request threads: some 10 ns a value.
const ROWS_TO_ENCODE_ASIDE: usize = 20_000;

/// Commits what a write adds to the catalog.
#[async_trait]
pub(crate) trait SchemaCommit: std::fmt::Debug + Send + Sync {
    /// Returns once the columns are durable in the catalog.
    async fn commit(&self, change: SchemaChange) -> Result<(), DmlError>;
}

/// What writes are encoded with: threads for large ones, and memory for what comes of it.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) pool: Arc<dyn Pool>,
    pub(crate) gate: Arc<dyn MemoryGate>,
}

impl Encoder {
    /// Takes memory for what may be made of the batches, unless the write came with it; it was let
    /// in long ago, so it waits for nothing.
    fn hold_for_encoding(&self, write: &mut Write) -> Result<(), DmlError> {
        let rows = bytes_of_rows(write);
        // Columns are narrowed when they are encoded. That they stand there twice while they are
        // compressed is not counted: only as many do as there are threads.
        let missing = rows.saturating_mul(2).saturating_sub(write.memory.bytes());
        if missing == 0 || write.memory.try_grow(missing) {
            return Ok(());
        }
        if write.memory.could_grow(missing) {
            let reason = "the memory budget is used up".to_owned();
            let retry_after = self.gate.retry_after(missing);
            return Err(DmlError::Busy { reason, retry_after });
        }
        let reason = format!(
            "the write takes {rows} bytes of memory, and as many again to be encoded, which is more \
             than writes may use: send it in parts"
        );
        Err(DmlError::Rejected { why: Rejection::TooLarge, reason })
    }
}

fn bytes_of_rows(write: &Write) -> u64 {
    write.batches.iter().map(|batch| batch.batch.size_bytes()).sum()
}

/// Encodes `write`. From then on it holds what its rows and their encoded form take: it asks for
/// nothing more, so it keeps nothing more either.
fn prepare<A: WalAppender>(
    appender: &A,
    mut write: Write,
) -> Result<(A::Prepared, Write), DmlError> {
    let prepared = appender.prepare(&write.database, &write.batches)?;
    let needed = bytes_of_rows(&write).saturating_add(A::bytes_of(&prepared));
    write.memory.set_anyway(needed);
    Ok((prepared, write))
}

/// Appends to a log and waits until the write is durable and visible.
///
/// The order leaves no column behind for a write that is refused: hold memory for what is encoded,
/// encode, reserve room in the log, commit new columns, append.
#[derive(Debug)]
pub(crate) struct WalSink<A> {
    appender: Arc<A>,
    schema: Arc<dyn SchemaCommit>,
    encoder: Encoder,
    log: LogId,
    epoch: Epoch,
}

impl<A: WalAppender + 'static> WalSink<A> {
    pub(crate) fn new(
        appender: Arc<A>,
        schema: Arc<dyn SchemaCommit>,
        encoder: Encoder,
        (log, epoch): (LogId, Epoch),
    ) -> Self {
        Self { appender, schema, encoder, log, epoch }
    }

    async fn prepare(&self, mut write: Write) -> Result<(A::Prepared, Write), DmlError> {
        self.encoder.hold_for_encoding(&mut write)?;
        let rows: usize = write.batches.iter().map(|batch| batch.batch.rows()).sum();
        if rows <= ROWS_TO_ENCODE_ASIDE {
            return prepare(&*self.appender, write);
        }
        let appender = Arc::clone(&self.appender);
        let encode = move || prepare(&*appender, write);
        let lost = |Lost| DmlError::Internal { reason: "encode a write: it panicked".to_owned() };
        offload(&*self.encoder.pool, encode).await.map_err(lost)?
    }
}

#[async_trait]
impl<A: WalAppender + 'static> DmlSink for WalSink<A> {
    async fn apply(&self, write: Write) -> Result<Position, DmlError> {
        let (prepared, write) = self.prepare(write).await?;
        if let Some(change) = write.schema_change {
            self.schema.commit(change).await?;
        }
        let (done, answer) = oneshot::channel();
        let pending = PendingWrite {
            database: write.database,
            batches: write.batches,
            memory: write.memory,
            done,
        };
        self.appender.append(prepared, write.batch_id, pending)?;
        let ended = |_| DmlError::Unknown { reason: "the log ended before it answered".to_owned() };
        let lsn = answer.await.map_err(ended)??;
        Ok(Position { log: self.log, epoch: self.epoch, lsn })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parking_lot::Mutex;
    use types::effect::InPlace;
    use types::{
        BatchId, DatabaseRef, Lsn, MemoryBudget, MemoryOwner, PartitionBatch, PartitionKey,
        Reservation,
    };

    use super::*;
    use crate::tests::fixture::{database, rows, table};

    /// What is made of each write.
    const BODY_BYTES: u64 = 100;

    /// Keeps what is appended, and answers when it is told to.
    #[derive(Debug, Default)]
    struct Queue(Mutex<Vec<PendingWrite>>);

    impl WalAppender for Queue {
        type Prepared = ();

        fn prepare(&self, _: &DatabaseRef, _: &[PartitionBatch]) -> Result<(), DmlError> {
            Ok(())
        }

        fn bytes_of(_: &()) -> u64 {
            BODY_BYTES
        }

        fn append(&self, _: (), _: BatchId, write: PendingWrite) -> Result<(), DmlError> {
            self.0.lock().push(write);
            Ok(())
        }
    }

    /// Counts commits.
    #[derive(Debug, Default)]
    struct Commits(Mutex<usize>);

    #[async_trait]
    impl SchemaCommit for Commits {
        async fn commit(&self, _: SchemaChange) -> Result<(), DmlError> {
            *self.0.lock() += 1;
            Ok(())
        }
    }

    /// Says seven seconds.
    #[derive(Debug)]
    struct Seven(Arc<MemoryBudget>);

    #[async_trait]
    impl MemoryGate for Seven {
        async fn reserve(&self, bytes: u64) -> Result<Reservation, DmlError> {
            Ok(self.0.reserve_anyway(MemoryOwner::Request, bytes))
        }

        fn retry_after(&self, _missing: u64) -> Duration {
            Duration::from_secs(7)
        }
    }

    struct World {
        sink: WalSink<Queue>,
        queue: Arc<Queue>,
        commits: Arc<Commits>,
        budget: Arc<MemoryBudget>,
    }

    fn world(budget_bytes: u64) -> World {
        let (queue, commits) = (Arc::new(Queue::default()), Arc::new(Commits::default()));
        let budget = MemoryBudget::new(budget_bytes);
        let gate = Arc::new(Seven(Arc::clone(&budget)));
        let encoder = Encoder { pool: Arc::new(InPlace), gate };
        let schema = Arc::clone(&commits) as Arc<dyn SchemaCommit>;
        let log = (LogId::default(), Epoch::ZERO);
        let sink = WalSink::new(Arc::clone(&queue), schema, encoder, log);
        World { sink, queue, commits, budget }
    }

    /// A write that creates its database, and how many bytes its rows are.
    fn write(budget: &Arc<MemoryBudget>) -> (Write, u64) {
        let batch = Arc::new(rows(1_000, 0));
        let bytes = batch.size_bytes();
        let change = SchemaChange {
            database: DatabaseRef::clone(&database()),
            create_database: true,
            tables: Vec::new(),
        };
        let write = Write {
            database: database(),
            batches: vec![PartitionBatch::new(table("cpu", 1), PartitionKey::of_time(0), batch)],
            schema_change: Some(change),
            batch_id: BatchId::default(),
            memory: budget.reserve_anyway(MemoryOwner::Request, bytes),
        };
        (write, bytes)
    }

    #[tokio::test]
    async fn what_waits_in_the_log_is_held_for_until_it_is_durable() {
        let World { sink, queue, commits, budget } = world(1 << 30);
        let (write, bytes) = write(&budget);
        let mut applying = Box::pin(sink.apply(write));
        assert!(futures::poll!(&mut applying).is_pending());
        assert_eq!((*commits.0.lock(), budget.used()), (1, bytes + BODY_BYTES));
        let PendingWrite { memory, done, .. } = queue.0.lock().remove(0);
        drop(memory);
        let _ = done.send(Ok(Lsn::new(1)));
        assert_eq!(applying.await.expect("is durable").lsn, Lsn::new(1));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_write_that_brings_memory_asks_for_none_and_gives_back_what_it_does_not_need() {
        let World { sink, queue, budget, .. } = world(100_000);
        let (mut write, bytes) = write(&budget);
        assert!(write.memory.try_grow(bytes), "twice the rows");
        let others = budget.reserve_anyway(MemoryOwner::Buffer, 100_000 - 2 * bytes);
        let mut applying = Box::pin(sink.apply(write));
        assert!(futures::poll!(&mut applying).is_pending(), "it waits for the log only");
        assert_eq!(queue.0.lock().len(), 1);
        assert_eq!(budget.used(), 100_000 - bytes + BODY_BYTES);
        drop(others);
    }

    #[tokio::test]
    async fn a_write_without_memory_to_be_encoded_is_busy_and_leaves_no_column() {
        let World { sink, queue, commits, budget } = world(100_000);
        let (write, bytes) = write(&budget);
        let held = budget.reserve_anyway(MemoryOwner::Buffer, 100_000 - bytes - bytes / 2);
        let refused = sink.apply(write).await.expect_err("there is no room beside the buffer");
        let seven = Duration::from_secs(7);
        assert!(
            matches!(refused, DmlError::Busy { retry_after, .. } if retry_after == seven),
            "{refused}"
        );
        assert_eq!((*commits.0.lock(), queue.0.lock().len()), (0, 0));
        drop(held);
        assert_eq!(budget.used(), 0, "all is given back");
    }

    #[tokio::test]
    async fn a_write_that_can_never_be_encoded_is_not_asked_for_again() {
        let World { sink, commits, budget, .. } = world(30_000);
        let (write, bytes) = write(&budget);
        assert!(2 * bytes > 30_000, "{bytes} bytes");
        let refused = sink.apply(write).await.expect_err("more than all memory");
        assert!(
            matches!(refused, DmlError::Rejected { why: Rejection::TooLarge, .. }),
            "{refused}"
        );
        assert_eq!((*commits.0.lock(), budget.used()), (0, 0));
    }
}
