//! Which statements queries may hold: those that read.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use super::nesting;
use crate::error::Error;

const ONLY_READS: &str = "queries only read; SELECT, EXPLAIN, DESCRIBE, SHOW TABLES and SHOW \
    COLUMNS are answered, and data is written with line protocol, Flight SQL or direct writes";

/// The chunks that a scan does not need any more are gone after its turn.
const NO_RECURSION: &str = "its body would scan a table again and again, and a scan has one turn \
    at each partition, at which it takes what the buffer holds";

/// The logical plan of `sql`, if it only reads.
pub(super) async fn plan(sql: &str, session: &SessionState) -> Result<LogicalPlan, Error> {
    let dialect = session.config_options().sql_parser.dialect;
    nesting::check(sql, &dialect)?;
    let statement = session.sql_to_statement(sql, &dialect)?;
    check_statement(&statement)?;
    let plan = session.statement_to_plan(statement).await?;
    check_plan(&plan)?;
    Ok(plan)
}

/// Refuses what is not known to read only, before it is planned.
fn check_statement(statement: &Statement) -> Result<(), Error> {
    let reads = match statement {
        Statement::Explain(explain) => return check_statement(&explain.statement),
        Statement::Statement(statement) => matches!(
            **statement,
            ast::Statement::Query(_)
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ShowFunctions { .. }
                | ast::Statement::ShowVariable { .. }
        ),
        _ => false,
    };
    if reads { Ok(()) } else { Err(refused(statement)) }
}

fn refused(statement: &Statement) -> Error {
    let text = statement.to_string();
    let verb = text.split_whitespace().next().unwrap_or_default();
    Error::Refused { statement: verb.to_uppercase(), reason: ONLY_READS }
}

/// Refuses what a statement that looks like a read may still hold, and recursion.
fn check_plan(plan: &LogicalPlan) -> Result<(), Error> {
    let only_reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    if only_reads.verify_plan(plan).is_err() {
        return Err(Error::Refused {
            statement: "a statement that writes".to_owned(),
            reason: ONLY_READS,
        });
    }
    let mut recursive = false;
    plan.apply_with_subqueries(|node| {
        recursive |= matches!(node, LogicalPlan::RecursiveQuery(_));
        Ok(TreeNodeRecursion::Continue)
    })?;
    if recursive {
        return Err(Error::Refused {
            statement: "WITH RECURSIVE".to_owned(),
            reason: NO_RECURSION,
        });
    }
    Ok(())
}
