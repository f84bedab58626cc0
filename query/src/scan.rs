//! The scan of a table: partition by partition, from the buffer and the files of one version.
//!
//! The streams of a scan share a queue of partitions, fixed when the query was planned:
//!
//! ```text
//!   queue: 2013-01-01, 2013-01-02, ...        stream 0 ─▶ turn at 01-01: take chunks, open files
//!                                             stream 1 ─▶ turn at 01-02
//! ```
//!
//! A partition's turn is the one moment at which its chunks are taken; what was published before is
//! in the answer. No lock is held while anybody waits. A scan that has to give way, because queries
//! hold too much, lets go of its streams at once, whether or not they are read.

mod metrics;
mod turn;
mod visit;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use parking_lot::Mutex;
use types::TableSchema;
use types::effect::Pool;
use types::seam::TableReader;

use crate::cut::until_cut;
use crate::error::Error;
use crate::predicate::KeyPredicate;
use crate::source::{BatchStream, Reading};
pub(crate) use metrics::ScanMetrics;
use turn::Turn;
pub(crate) use visit::{Visit, Visits};

/// What a scan reads.
#[derive(Debug)]
pub(crate) struct ScanInput {
    /// The table's columns at the version that is read.
    pub(crate) schema: Arc<TableSchema>,
    /// The columns that come out.
    pub(crate) output: SchemaRef,
    /// The filters on the primary key.
    pub(crate) predicate: KeyPredicate,
    /// The partitions.
    pub(crate) visits: Visits,
    /// The buffer.
    pub(crate) reader: Arc<dyn TableReader>,
    /// Where the files are.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where rows are sorted and decoded.
    pub(crate) pool: Arc<dyn Pool>,
}

/// The scan as a node of a physical plan.
#[derive(Debug)]
pub(crate) struct PartitionScan {
    shared: Arc<Shared>,
    /// One entry a stream: true once it was started.
    started: Vec<AtomicBool>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    text: String,
}

/// What the streams of a scan share. The buffer keeps what this scan needs until it is dropped.
#[derive(Debug)]
struct Shared {
    queue: Mutex<VecDeque<Visit>>,
    schema: Arc<TableSchema>,
    output: SchemaRef,
    predicate: KeyPredicate,
    reader: Arc<dyn TableReader>,
    store: Arc<dyn ObjectStore>,
    pool: Arc<dyn Pool>,
    files_pruned: usize,
}

impl PartitionScan {
    /// A scan with at most `streams_max` streams.
    pub(crate) fn new(input: ScanInput, streams_max: usize) -> Self {
        let text = input.text();
        let streams = input.visits.queue.len().clamp(1, streams_max.max(1));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&input.output)),
            Partitioning::UnknownPartitioning(streams),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let shared = Shared {
            files_pruned: input.visits.files_pruned,
            queue: Mutex::new(input.visits.queue),
            schema: input.schema,
            output: input.output,
            predicate: input.predicate,
            reader: input.reader,
            store: input.store,
            pool: input.pool,
        };
        Self {
            shared: Arc::new(shared),
            started: (0..streams).map(|_| AtomicBool::new(false)).collect(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            text,
        }
    }
}

impl ScanInput {
    /// What `EXPLAIN` shows.
    fn text(&self) -> String {
        let columns = self.output.fields().iter();
        let columns: Vec<&str> = columns.map(|field| field.name().as_str()).collect();
        let table = &self.schema.table.name;
        let mut text = format!("table={table}, columns=[{}], {}", columns.join(", "), self.visits);
        if !self.predicate.text().is_empty() {
            text.push_str(&format!(", pruned by [{}]", self.predicate.text()));
        }
        text
    }
}

impl Shared {
    /// The rows of the partitions that this stream gets to before the others do.
    fn stream(self: Arc<Self>, reading: Reading) -> BatchStream {
        let visits = stream::unfold((self, reading), |(shared, reading)| async move {
            let visit = shared.queue.lock().pop_front()?;
            let rows = shared.visit(&visit, &reading);
            Some((rows, (shared, reading)))
        });
        visits.try_flatten().boxed()
    }

    fn visit(&self, visit: &Visit, reading: &Reading) -> Result<BatchStream, Error> {
        let turn = Turn::take(visit, self.reader.as_ref(), reading)?;
        Ok(turn.stream(reading, &self.output))
    }
}

impl DisplayAs for PartitionScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => f.write_str(&self.text),
            _ => write!(f, "PartitionScan: {}", self.text),
        }
    }
}

impl ExecutionPlan for PartitionScan {
    fn name(&self) -> &str {
        "PartitionScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let started = self.started.get(partition);
        // Relaxed: the flag guards nothing but itself.
        if started.is_none_or(|started| started.swap(true, Ordering::Relaxed)) {
            return internal_err!(
                "stream {partition} of a scan was started twice: a scan has one turn a partition"
            );
        }
        let metrics = ScanMetrics::new(&self.metrics, partition);
        if partition == 0 {
            metrics.files_pruned.add(self.shared.files_pruned);
        }
        let reading = Reading {
            store: Arc::clone(&self.shared.store),
            pool: Arc::clone(&self.shared.pool),
            schema: Arc::clone(&self.shared.schema),
            predicate: self.shared.predicate.clone(),
            memory: Arc::clone(context.memory_pool()),
            metrics: metrics.clone(),
        };
        let rows = Arc::clone(&self.shared).stream(reading);
        // All that it holds is in it, also what it has sorted.
        let rows = until_cut(rows, self.shared.reader.as_ref());
        let rows = rows.inspect_ok(move |batch| metrics.output_rows.add(batch.num_rows()));
        let output = Arc::clone(&self.shared.output);
        let rows = rows.map_err(Into::into);
        Ok(Box::pin(RecordBatchStreamAdapter::new(output, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
