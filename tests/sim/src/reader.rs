//! A reader: whole tables and single series, fast and slow, all along.
//!
//! A slow reader holds its answer open while partitions are persisted under it: it must see each
//! batch once all the same.

use std::time::Duration;

use arrow::array::RecordBatch;
use catalog::CatalogRead;
use checker::{Scope, View};
use futures::StreamExt;
use types::ErrorKind;

use crate::client::Client;
use crate::node::Node;
use crate::verdict::Kind;

/// Reads until it is told to stop.
pub(crate) async fn run(client: Client) {
    while !client.is_over() {
        let pause = client.chance.millis(20, 900);
        tokio::time::sleep(pause).await;
        if client.is_over() {
            return;
        }
        read(&client).await;
    }
}

async fn read(client: &Client) {
    let chance = &client.chance;
    let series = chance.one_in(4).then(|| format!("shared{}", chance.below(2)));
    let scope = Scope { table: client.table(), series };
    let pause = if chance.one_in(3) { chance.millis(20, 600) } else { Duration::ZERO };
    look(client, &scope, pause).await;
}

/// Reads a whole table as fast as it can be read.
pub(crate) async fn glance(client: &Client) {
    look(client, &Scope::table(client.table()), Duration::ZERO).await;
}

async fn look(client: &Client, scope: &Scope, pause: Duration) {
    let number = client.number;
    client.trace.event(format_args!("reader {number}: {scope:?}, pausing for {pause:?}"));
    let read = client.ledger.begin_read();
    match view(&client.node, scope, pause).await {
        Ok(view) => {
            let verdict = client.ledger.judge(read, scope, &view);
            let rows = view.rows.len();
            client.trace.event(format_args!("reader {number}: {rows} rows"));
            client.trace.count("reads");
            if !verdict.is_clean() {
                client.findings.report(Kind::Read, &verdict);
            }
        }
        Err(error) => {
            client.trace.event(format_args!("reader {number}: {error}"));
            client.trace.count("reads refused");
            if is_wrong(client, error.kind()) {
                client.findings.report(Kind::Read, &told(&error));
            }
        }
    }
}

/// True if no query may be refused so. A store or a catalog that fails is told as such, so what is
/// of no known kind is a fault of the node's own, unless it was dying.
fn is_wrong(client: &Client, kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Corrupt => true,
        ErrorKind::Unknown => !client.vitals.may_die(),
        _ => false,
    }
}

/// What a query sees of `scope`; whoever asks pauses before each part of the answer.
///
/// A table that is not known has no rows.
pub(crate) async fn view(
    node: &Node,
    scope: &Scope,
    pause: Duration,
) -> Result<View, query::Error> {
    let mut sql = format!("SELECT * FROM \"{}\"", scope.table);
    if let Some(series) = &scope.series {
        sql.push_str(&format!(" WHERE series = '{series}'"));
    }
    let batches = match batches(node, sql, pause).await {
        Ok(batches) => batches,
        // A table that the catalog has lost is found out by the rows that are not there.
        Err(_) if !knows(node, &scope.table) => return Ok(View::default()),
        Err(error) => return Err(error),
    };
    let rows = checker::read::sql(&scope.table, &batches);
    let rows = rows.map_err(|error| query::Error::Corrupt {
        path: scope.table.clone(),
        expected: "rows of the table's columns",
        source: Box::new(error),
    })?;
    Ok(View { rows })
}

fn knows(node: &Node, table: &str) -> bool {
    let snapshot = node.catalog.snapshot();
    let mut tables = snapshot.databases().flat_map(|database| database.tables.keys());
    tables.any(|known| known.as_str() == table)
}

/// The answer to a query, read with pauses.
pub(crate) async fn batches(
    node: &Node,
    sql: String,
    pause: Duration,
) -> Result<Vec<RecordBatch>, query::Error> {
    let mut stream = node.ask(sql).await?.stream;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        batches.push(batch?);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(batches)
}

/// An error with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
