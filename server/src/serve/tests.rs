//! A whole node over a store whose puts a test lets through one by one.

mod known_faults;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use catalog::CatalogRead;
use http::{Request, StatusCode};
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use persist::store::FaultyStore;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use types::{CatalogVersion, DatabaseName};

use super::node::Node;
use super::routes;
use crate::config::ServeConfig;
use crate::config::tests::config_on;
use crate::machine::Machine;

const SELECT: &str = "/api/v3/query_sql?db=db&format=csv&q=SELECT+x,y,z+FROM+m+WHERE+t='a'";

/// What outlives a node: its directory and its store.
struct World {
    dir: tempfile::TempDir,
    store: Arc<FaultyStore>,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), store: FaultyStore::new() }
    }

    fn config(&self) -> ServeConfig {
        let data_dir = format!("--data-dir={}", Path::display(self.dir.path()));
        // A worker for each job, so that all of them stand before the store at once.
        let flags = [data_dir.as_str(), "--persist-workers=4", "--memory-budget=1GiB"];
        config_on(&Machine::detect(), &flags).expect("no faults")
    }

    async fn start(&self) -> Running {
        let config = self.config();
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        let node = Node::start_on(&config, store).await.expect("starts");
        let routes = routes::of(&config, &node).expect("fits");
        let running = Running { node, routes };
        while running.get("/ready").await.0 != StatusCode::OK {
            tokio::task::yield_now().await;
        }
        running
    }
}

struct Running {
    node: Node,
    routes: Router,
}

impl Running {
    async fn call(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.routes.clone().oneshot(request).await.expect("answers");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("is whole");
        (status, String::from_utf8(body.to_vec()).expect("is text"))
    }

    async fn get(&self, uri: &str) -> (StatusCode, String) {
        self.call(Request::get(uri).body(Body::empty()).expect("is a request")).await
    }

    async fn write(&self, line: &'static str) {
        let write = Request::post("/api/v3/write_lp?db=db").body(Body::from(line));
        let (status, text) = self.call(write.expect("is a request")).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    }

    /// The fields of the point under test.
    async fn point(&self) -> String {
        let (status, text) = self.get(SELECT).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        text.lines().skip(1).collect()
    }

    /// Asks for a persist of all there is, and returns before it ends.
    fn persist(&self) -> JoinHandle<()> {
        let persist = self.node.ingester.persist();
        tokio::spawn(async move {
            let db = DatabaseName::new("db").expect("a good name");
            persist.persist_now(&db, None, Duration::from_secs(60)).await.expect("is persisted");
        })
    }

    fn version(&self) -> CatalogVersion {
        self.node.catalog.snapshot().version()
    }

    /// Lets one put through and waits until its file is committed.
    async fn commit(&self, store: &FaultyStore, put: &ObjectPath) {
        let before = self.version();
        store.let_through(put);
        let mut watch = self.node.catalog.watch();
        watch.wait_for(|version| *version > before).await.expect("the catalog is there");
    }

    /// Ends as a crash would: nothing is drained.
    async fn abandon(self) {
        drop(self.routes);
        self.node.close().await.expect("closes");
    }
}

/// Writes a point, overwrites two of its fields one after the other, and has a job of each stand
/// before the store. Returns their files in the order of the writes.
async fn overwritten_twice(world: &World, running: &Running) -> Vec<ObjectPath> {
    // A first file settles the sort key, so that the jobs after it run side by side.
    running.write("m,t=b x=0i 1").await;
    running.persist().await.expect("is persisted");
    world.store.shut_gate();
    for line in ["m,t=a x=1i,y=1i,z=1i 1", "m,t=a x=2i,y=2i 1", "m,t=a y=3i 1"] {
        running.write(line).await;
        running.persist();
        world.store.wait_for_puts(1).await;
    }
    assert_eq!(running.point().await, "2,3,1", "from the buffer");
    world.store.puts_waiting()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_where_nothing_is_keeps_nothing_and_says_so() {
    let world = World::new();
    let running = world.start().await;
    let write = Request::post("/api/v3/writelp?db=db").body(Body::from("m x=1i 1"));
    let (status, text) = running.call(write.expect("is a request")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("\"code\":\"not found\"") && text.contains("\"data\":[]"), "{text}");
    assert_eq!(running.get("/api/v3/write_lp?db=db").await.0, StatusCode::METHOD_NOT_ALLOWED);

    let call =
        Request::post("/forebay.v1.NoService/Call").header("content-type", "application/grpc");
    let call = call.body(Body::empty()).expect("is a request");
    let answer = running.routes.clone().oneshot(call).await.expect("answers");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["grpc-status"], "12");
    assert!(answer.headers().contains_key(router::REQUEST_ID_HEADER));
    running.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn z8_the_last_value_of_each_field_stands_though_jobs_end_in_reverse_order() {
    let world = World::new();
    let running = world.start().await;
    let puts = overwritten_twice(&world, &running).await;
    for put in puts.iter().rev() {
        running.commit(&world.store, put).await;
        assert_eq!(running.point().await, "2,3,1", "with {put} in the catalog");
    }
    running.abandon().await;

    let running = world.start().await;
    assert_eq!(running.point().await, "2,3,1", "after a restart, from files");
    running.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_told_and_refuses_no_write() {
    let world = World::new();
    let running = world.start().await;
    world.store.set_down(true);
    running.write("m,t=a x=1i,y=1i,z=1i 1").await;
    let persisting = running.persist();
    loop {
        let (status, text) = running.get("/ready").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        if text.contains("the object store fails: 1 persist jobs wait") {
            break;
        }
        tokio::task::yield_now().await;
    }
    running.write("m,t=a y=2i 1").await;
    assert_eq!(running.point().await, "1,2,1");
    world.store.set_down(false);
    persisting.await.expect("is persisted");
    let (_, text) = running.get("/ready").await;
    assert!(text.contains("\"degraded\":[]"), "{text}");
    running.abandon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_of_three_beside_a_replayed_log_gives_the_last_values() {
    for committed in 0..3 {
        let world = World::new();
        let running = world.start().await;
        let puts = overwritten_twice(&world, &running).await;
        running.commit(&world.store, &puts[committed]).await;
        running.abandon().await;
        world.store.open_gate();

        let running = world.start().await;
        assert_eq!(running.point().await, "2,3,1", "job {committed} was committed");
        running.write("m,t=a z=4i 1").await;
        assert_eq!(running.point().await, "2,3,4", "with a newer value in the buffer");
        running.persist().await.expect("is persisted");
        assert_eq!(running.point().await, "2,3,4", "all from files");
        running.abandon().await;
    }
}
