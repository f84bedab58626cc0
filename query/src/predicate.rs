//! What of a query's filters may be used below deduplication, and what it prunes there.
//!
//! A filter on tags and `time` holds for all rows of a point or for none, so rows that it excludes
//! may be left out before the newest values are found. A filter on a field may hold for an old
//! value whose newest one it excludes: it is applied only above.

mod row_groups;
mod time_ranges;

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use types::{ColumnKind, TableSchema};

use row_groups::RowGroups;
use time_ranges::TimeRanges;

/// True if `filter` is decided by the primary key of a row, and always in the same way.
pub(crate) fn depends_on_key_only(filter: &Expr, schema: &TableSchema) -> bool {
    let columns = filter.column_refs();
    let all_in_key = columns.iter().all(|column| {
        let kind = schema.kind(&column.name);
        matches!(kind, Some(ColumnKind::Tag | ColumnKind::Time))
    });
    !columns.is_empty() && all_in_key && !filter.is_volatile() && !has_subquery(filter)
}

fn has_subquery(filter: &Expr) -> bool {
    let is_subquery = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::ScalarSubquery(_)
                | Expr::OuterReferenceColumn(..)
        ))
    };
    // A filter that cannot be looked through is not used.
    filter.exists(is_subquery).unwrap_or(true)
}

/// The filters on the primary key, as a test of what is known about many rows at once.
#[derive(Clone, Debug)]
pub(crate) struct KeyPredicate {
    /// Nothing if no filter can prune.
    pruning: Option<Arc<PruningPredicate>>,
    text: String,
}

impl KeyPredicate {
    /// The conjunction of `filters`, each of which must
    /// [depend on the key only](depends_on_key_only), for a table with the Arrow schema `schema`.
    pub(crate) fn new(filters: &[Expr], schema: &SchemaRef, session: &dyn Session) -> Result<Self> {
        let text: Vec<String> = filters.iter().map(Expr::to_string).collect();
        let pruning = match conjunction(filters.iter().cloned()) {
            None => None,
            Some(filter) => {
                let columns = DFSchema::try_from(Arc::clone(schema))?;
                let filter = session.create_physical_expr(filter, &columns)?;
                PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(filter)
            }
        };
        Ok(Self { pruning, text: text.join(" AND ") })
    }

    /// The filters for people.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Which of `ranges` of time may have rows that pass.
    pub(crate) fn may_match(&self, ranges: &[RangeInclusive<i64>]) -> Vec<bool> {
        self.keep(&TimeRanges(ranges))
    }

    /// The numbers of the row groups of a file that may have rows that pass.
    pub(crate) fn row_groups(&self, file: &ArrowReaderMetadata) -> Vec<usize> {
        let kept = self.keep(&RowGroups::new(file));
        let numbered = kept.into_iter().enumerate();
        numbered.filter_map(|(at, kept)| kept.then_some(at)).collect()
    }

    fn keep(&self, statistics: &dyn PruningStatistics) -> Vec<bool> {
        let all = || vec![true; statistics.num_containers()];
        match &self.pruning {
            None => all(),
            Some(pruning) => pruning.prune(statistics).unwrap_or_else(|error| {
                // Pruning only saves work: the filters run above the scan in any case.
                tracing::debug!(%error, filters = self.text, "statistics were not usable");
                all()
            }),
        }
    }
}
