//! Rot in an object at rest: a query that needs the file refuses and names it, and no answer is wrong.

use std::time::Duration;

use bytes::Bytes;
use catalog::CatalogRead;
use checker::Scope;
use object_store::path::Path;

use crate::chance::Chance;
use crate::incarnation::failed;
use crate::judgement::{in_time, ready};
use crate::node::{Effects, Node};
use crate::reader::{told, view};
use crate::verdict::Kind;
use crate::world::World;

/// Has a node read over rot in one of its files, which is then healed, as from a copy.
pub(super) async fn run(world: &World, effects: &Effects, chance: &Chance) {
    let node = match Box::pin(Node::start(world, effects, None)).await {
        Ok(node) => node,
        Err(error) => return failed(world, effects, &*error),
    };
    tokio::select! {
        biased;
        error = node.ingester.failed() => failed(world, effects, &*error),
        () = Box::pin(read_over(world, &node, chance)) => {}
    }
}

async fn read_over(world: &World, node: &Node, chance: &Chance) {
    if in_time(world, "it is ready", ready(node)).await.is_none() {
        return;
    }
    let Some((table, path)) = file(node, chance) else { return };
    let Ok(healthy) = world.store.at_rest(&path).await else {
        let told = format!("{path} is a file of {table}, and is not in the store");
        return world.findings.report(Kind::Invariant, &told);
    };
    let mut rotten = healthy.to_vec();
    let at = chance.index(rotten.len().max(1));
    if let Some(byte) = rotten.get_mut(at) {
        *byte ^= 1_u8 << chance.below(8);
    }
    world.trace.fault("store: rot in an object", format_args!("{path} at {at}"));
    world.store.plant(&path, Bytes::from(rotten)).await;
    look(world, node, &table, &path).await;
    world.store.plant(&path, healthy).await;
}

/// One of the files of the catalog, with the name of its table.
fn file(node: &Node, chance: &Chance) -> Option<(String, Path)> {
    let snapshot = node.catalog.snapshot();
    let mut files = Vec::new();
    for database in snapshot.databases() {
        for (name, table) in &database.tables {
            let partitions = table.partitions.values();
            let paths = partitions.flat_map(|partition| &partition.files).map(|file| &file.path);
            files.extend(paths.map(|path| (name.to_string(), path.clone())));
        }
    }
    if files.is_empty() {
        return None;
    }
    let (table, path) = files.swap_remove(chance.index(files.len()));
    Some((table, Path::parse(path).ok()?))
}

/// Reads all of the table: it is refused by the name of what is rotten, or right.
async fn look(world: &World, node: &Node, table: &str, path: &Path) {
    let scope = Scope::table(table.to_owned());
    let read = world.ledger.begin_read();
    match view(node, &scope, Duration::ZERO).await {
        Ok(view) => {
            world.trace.count("reads that rot changed nothing for");
            let verdict = world.ledger.judge(read, &scope, &view);
            if !verdict.is_clean() {
                world.findings.report(Kind::Read, &format!("over rot in {path}: {verdict}"));
            }
        }
        Err(error) => {
            world.trace.count("reads refused over rot");
            let told = told(&error);
            if !told.contains(path.as_ref()) {
                let told =
                    format!("a read over rot in {path} was refused without its name: {told}");
                world.findings.report(Kind::Read, &told);
            }
        }
    }
}
