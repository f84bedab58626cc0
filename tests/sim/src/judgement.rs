//! The last life: nothing goes wrong any more, and everything is looked at.

use std::time::Duration;

use catalog::CatalogRead;
use checker::Scope;
use ingester::{Drained, Phase};
use tokio::time::timeout;
use types::DatabaseName;
use types::seam::PersistNowError;

use crate::client::table_name;
use crate::node::{DATABASE, Effects, Node};
use crate::reader::{self, told};
use crate::verdict::Kind;
use crate::world::World;
use crate::{files, invariants};

/// How long each part may take, with nothing in its way.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is counted when everything was looked at.
const JUDGED: &str = "judgements";

/// True if everything was looked at: a seed that never comes so far has shown nothing.
pub(crate) fn was_reached(world: &World) -> bool {
    world.trace.counts().contains_key(JUDGED)
}

/// Judges the world.
pub(crate) async fn run(world: &World, effects: &Effects) {
    world.trace.event(format_args!("the judgement"));
    while world.store.deliver_late().await {}
    let node = match Box::pin(Node::start(world, effects, None)).await {
        Ok(node) => node,
        Err(error) => return world.findings.report(Kind::Failed, &told(&*error)),
    };
    let judged = async {
        tokio::select! {
            biased;
            error = node.ingester.failed() => world.findings.report(Kind::Failed, &told(&*error)),
            () = Box::pin(judge(world, &node)) => {}
        }
    };
    judged.await;
    if effects.vitals.is_dead() {
        world.findings.report(Kind::Failed, &"the process died of nothing");
    }
}

async fn judge(world: &World, node: &Node) {
    if in_time(world, "it is ready", ready(node)).await.is_none() {
        return;
    }
    let zombies = std::mem::take(&mut *world.zombies.lock());
    for zombie in zombies {
        node.commands.deliver(zombie).await;
    }
    invariants::of_catalog(&node.catalog, &world.findings);
    by_queries(world, node, "after the last start").await;
    if in_time(world, "all is persisted", persisted(world, node)).await.is_none() {
        return;
    }
    by_queries(world, node, "from files").await;
    if in_time(world, "memory is given back", no_memory_used(node)).await.is_none() {
        return;
    }
    invariants::of_memory(&node.memory, &world.findings);
    end(world, node).await;
    world.trace.count(JUDGED);
}

/// The result of `part`, unless it takes for ever.
pub(crate) async fn in_time<T>(
    world: &World,
    what: &str,
    part: impl Future<Output = T>,
) -> Option<T> {
    let done = timeout(PATIENCE, part).await.ok();
    if done.is_none() {
        world.findings.report(Kind::Stuck, &format!("waited in vain until {what}"));
    }
    done
}

/// Returns once the node takes and answers everything.
pub(crate) async fn ready(node: &Node) {
    while node.ingester.phase() != Phase::Ready || node.ingester.refusing().is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads every table by SQL.
pub(crate) async fn by_queries(world: &World, node: &Node, when: &str) {
    for number in 0..world.plan.tables {
        let scope = Scope { table: table_name(number), series: None };
        let read = world.ledger.begin_read();
        match reader::view(node, &scope, Duration::ZERO).await {
            Ok(view) => {
                let rows = view.rows.len();
                world.trace.event(format_args!("{when}: {rows} rows of {}", scope.table));
                world.trace.count("reads");
                let verdict = world.ledger.judge(read, &scope, &view);
                if !verdict.is_clean() {
                    world.findings.report(Kind::Read, &format!("{when}: {verdict}"));
                }
            }
            Err(error) => {
                let told = format!("{when}, {} cannot be read: {}", scope.table, told(&error));
                world.findings.report(Kind::Read, &told);
            }
        }
    }
}

async fn persisted(world: &World, node: &Node) {
    let Ok(database) = DatabaseName::new(DATABASE) else { return };
    let persist = node.ingester.persist();
    match persist.persist_now(&database, None, PATIENCE).await {
        Ok(()) | Err(PersistNowError::NotFound { .. }) => {}
        Err(error) => world.findings.report(Kind::Stuck, &error),
    }
}

async fn no_memory_used(node: &Node) {
    while node.memory.used() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Drains, looks at what is left where, and closes.
async fn end(world: &World, node: &Node) {
    let published = node.ingester.buffer().published();
    if node.ingester.drain(PATIENCE).await != Drained::Completely {
        world.findings.report(Kind::Stuck, &"not everything is persisted by a drain");
        return;
    }
    invariants::log_is_empty(&world.disk, &world.findings);
    let snapshot = node.catalog.snapshot();
    world.trace.count_times("persist: set aside", invariants::set_aside(&snapshot));
    let database = DatabaseName::new(DATABASE).ok();
    if let Some(database) = database.and_then(|name| snapshot.database(&name)) {
        invariants::all_in_files(database, published, &world.findings);
    }
    // A node that drains answers queries to the end.
    files::judge(world, node).await;
    if let Err(error) = node.close().await {
        world.findings.report(Kind::Failed, &told(&*error));
    }
}
