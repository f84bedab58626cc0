//! The sources of a partition's rows: files, and what the buffer has that is in no file.
//!
//! Each source is sorted by the partition's key and has each point once, or is made so when it is
//! opened; all that is left is to bring the sources together.

mod parquet_file;
mod quarantine;
mod rows_of_version;
mod sorted;
mod stored_file;

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use catalog::{File, FileKind};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::stream::BoxStream;
use object_store::ObjectStore;
use types::effect::Pool;
use types::fault::{self, Bug};
use types::{Chunk, Lsn, SortKey, TableSchema, Term};

use crate::error::Error;
use crate::predicate::KeyPredicate;
use crate::scan::ScanMetrics;
use rows_of_version::rows_of_version;
use sorted::{Sorted, Unsorted};

/// How many rows stand in a batch of a source or of a merge, at most.
pub(crate) const BATCH_ROWS: usize = 8_192;

/// Batches of one schema.
pub(crate) type BatchStream = BoxStream<'static, Result<RecordBatch, Error>>;

/// What sources are read with.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Where the files are.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where rows are sorted and decoded.
    pub(crate) pool: Arc<dyn Pool>,
    /// The columns of the table.
    pub(crate) schema: Arc<TableSchema>,
    /// What the query wants of the primary key.
    pub(crate) predicate: KeyPredicate,
    /// Who counts.
    pub(crate) metrics: ScanMetrics,
    /// What is held in memory is asked for here.
    pub(crate) memory: Arc<dyn MemoryPool>,
}

impl Reading {
    /// An account for memory, empty.
    pub(crate) fn memory_account(&self) -> MemoryReservation {
        MemoryConsumer::new("PartitionScan").register(&self.memory)
    }
}

/// Rows of one partition that follow each other in the order of values.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where they are.
    pub(crate) rows: SourceRows,
    /// All their times lie in it.
    pub(crate) time: RangeInclusive<i64>,
    /// Their place: of two values of one point that of the greater place is the newer.
    pub(crate) place: (Term, Lsn),
}

/// The LSN at which the values of a file stand among those of its partition.
fn order_of(file: &File) -> Lsn {
    if fault::is_planted(Bug::OrderByWallClock)
        && let Some(written_at) = file.id.as_bytes().first_chunk::<8>()
    {
        return Lsn::new(u64::from_be_bytes(*written_at));
    }
    file.lsns.first()
}

/// Where a source's rows are.
#[derive(Debug)]
pub(crate) enum SourceRows {
    /// In a file of the catalog version that the query reads.
    File(Arc<File>),
    /// In the buffer: chunks in LSN order with no file between them.
    Buffer(Vec<Chunk>),
}

impl Source {
    /// The source that a file is.
    pub(crate) fn file(file: &Arc<File>) -> Self {
        Self {
            rows: SourceRows::File(Arc::clone(file)),
            time: file.time_min..=file.time_max,
            place: (file.term, order_of(file)),
        }
    }

    /// The rows as batches of `columns`, sorted by `key` and `time`, one row a point.
    ///
    /// # Errors
    ///
    /// [`Error`], if the file cannot be read or memory is short.
    pub(crate) async fn open(
        self,
        reading: &Reading,
        key: &SortKey,
        columns: &SchemaRef,
    ) -> Result<BatchStream, Error> {
        match self.rows {
            SourceRows::File(file) if file.kind == FileKind::Parquet => {
                parquet_file::open(&file, reading, columns).await
            }
            rows => Ok(rows.sorted(reading, key).await?.stream(columns)),
        }
    }

    /// How many points there are, from counts alone where they are known.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub(crate) async fn count(self, reading: &Reading, key: &SortKey) -> Result<usize, Error> {
        match self.rows {
            SourceRows::File(file) if file.kind == FileKind::Parquet => {
                let rows = usize::try_from(file.rows).unwrap_or(usize::MAX);
                reading.metrics.file_rows.add(rows);
                Ok(rows)
            }
            rows => Ok(rows.sorted(reading, key).await?.rows()),
        }
    }
}

impl SourceRows {
    /// Sorts rows that have no order yet.
    async fn sorted(self, reading: &Reading, key: &SortKey) -> Result<Sorted, Error> {
        let (rows, memory, counter) = match self {
            Self::File(file) => {
                let (batch, memory) = quarantine::read(&file, reading).await?;
                (Unsorted::of(batch), memory, &reading.metrics.file_rows)
            }
            // The buffer accounts for its chunks, those included that are kept for queries.
            Self::Buffer(chunks) => {
                let chunks = rows_of_version(chunks, &reading.schema)?;
                (Unsorted::from(chunks), reading.memory_account(), &reading.metrics.buffer_rows)
            }
        };
        counter.add(rows.count());
        Sorted::new(rows, key.clone(), memory, reading.pool.as_ref()).await
    }
}
