//! The last look: what is in the files of the catalog, read without the query engine.

use std::error::Error;
use std::time::Duration;

use checker::read::{self, Stored};
use checker::{Read, Scope};

use crate::client::table_name;
use crate::node::Node;
use crate::reader::{batches, told};
use crate::verdict::Kind;
use crate::world::World;

/// Judges what the files hold, once everything is in them.
pub(crate) async fn judge(world: &World, node: &Node) {
    let scopes = (0..world.plan.tables).map(|number| Scope::table(table_name(number)));
    let reads: Vec<(Scope, Read)> =
        scopes.map(|scope| (scope, world.ledger.begin_read())).collect();
    match Box::pin(stored(world, node)).await {
        Ok(stored) => compare(world, &reads, &stored),
        Err(error) => {
            let told = format!("the files cannot be read: {}", told(&*error));
            world.findings.report(Kind::Read, &told);
        }
    }
}

fn compare(world: &World, reads: &[(Scope, Read)], stored: &Stored) {
    for (scope, read) in reads {
        let view = stored.tables.get(&scope.table).cloned().unwrap_or_default();
        let verdict = world.ledger.judge(*read, scope, &view);
        world.trace.count("reads of files");
        if !verdict.is_clean() {
            world.findings.report(Kind::Read, &format!("in the files: {verdict}"));
        }
    }
    for fault in &stored.faults {
        world.findings.report(Kind::Invariant, fault);
    }
    let repeated = world.ledger.judge_repeated(&stored.repeated);
    if !repeated.is_clean() {
        world.findings.report(Kind::Read, &format!("in more than one file: {repeated}"));
    }
}

async fn stored(world: &World, node: &Node) -> Result<Stored, Box<dyn Error>> {
    let told = match batches(node, read::CATALOG_SQL.to_owned(), Duration::ZERO).await {
        Ok(told) => told,
        // Nobody has written anything.
        Err(query::Error::DatabaseNotFound { .. }) => return Ok(Stored::default()),
        Err(error) => return Err(error.into()),
    };
    let files = read::catalog(&told)?;
    world.trace.event(format_args!("{} files", files.len()));
    Ok(read::files(&*world.store.objects(), &files).await?)
}
