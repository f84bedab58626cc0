//! Faults of other systems that only a whole node can have.

use std::ops::Range;

use ingester::Drained;

use super::*;

const DAY_NS: u64 = 86_400_000_000_000;
const ROOMY: &str = "--memory-budget=1GiB";

/// A node with these flags as it is at first: its log is still to be replayed.
async fn begin(world: &World, flags: &[&str]) -> Running {
    let data_dir = format!("--data-dir={}", Path::display(world.dir.path()));
    let mut all = vec![data_dir.as_str(), "--persist-workers=4"];
    all.extend(flags);
    let config = config_on(&Machine::detect(), &all).expect("no faults");
    let store = Arc::clone(&world.store) as Arc<dyn ObjectStore>;
    let node = Node::start_on(&config, store).await.expect("starts");
    let routes = routes::of(&config, &node).expect("fits");
    Running { node, routes }
}

/// Asks `/ready` until `wanted` is the answer.
async fn until_ready_says(running: &Running, wanted: impl Fn(StatusCode, &str) -> bool) {
    loop {
        let (status, text) = running.get("/ready").await;
        if wanted(status, &text) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn until_ready(running: &Running) {
    until_ready_says(running, |status, _| status == StatusCode::OK).await;
}

/// Sends lines as a client would.
async fn send(running: &Running, lines: String) -> StatusCode {
    let write =
        Request::post("/api/v3/write_lp?db=db&precision=nanosecond").body(Body::from(lines));
    running.call(write.expect("is a request")).await.0
}

/// The values of `x` for which `condition` holds, in their order.
async fn values_of_x(running: &Running, condition: &str) -> Vec<u64> {
    let select = "/api/v3/query_sql?db=db&format=csv&q=SELECT+x+FROM+m";
    let (status, text) = running.get(&format!("{select}{condition}+ORDER+BY+x")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    text.lines().skip(1).map(|x| x.parse().expect("a number")).collect()
}

/// The names of the log's segments.
fn segments(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.dir.path().join("wal")).expect("is there");
    let names = entries.map(|entry| entry.expect("is readable").file_name());
    let names = names.map(|name| name.into_string().expect("is text"));
    names.filter(|name| name.ends_with(".wal")).collect()
}

/// A replay removed a segment though jobs that it had begun for rows of it still ran.
#[tokio::test(flavor = "multi_thread")]
async fn z1_a_replayed_segment_outlives_the_jobs_of_its_rows() {
    let world = World::new();
    let running = world.start().await;
    running.write("m,t=a x=1i,y=2i,z=3i 1").await;
    running.abandon().await;
    let replayed = segments(&world);

    world.store.set_down(true);
    // Each batch makes its partition hot, so its job begins while the log is replayed.
    let running = begin(&world, &[ROOMY, "--persist-hot-partition-size=1B"]).await;
    until_ready(&running).await;
    until_ready_says(&running, |_, text| text.contains("1 persist jobs wait")).await;
    let there = segments(&world);
    assert!(!replayed.is_empty() && replayed.iter().all(|name| there.contains(name)), "{there:?}");
    running.abandon().await;

    let running = world.start().await;
    assert_eq!(running.point().await, "1,2,3", "the job had not ended");
    running.abandon().await;
}

/// A row of table `m`: its tag, its day, and its `x`.
type Row = (&'static str, u64, u64);

/// A condition, and the rows that it wants.
type Question = (&'static str, fn(&Row) -> bool);

const QUESTIONS: [Question; 4] = [
    ("", |_| true),
    ("+WHERE+time+%3C+'1970-01-02'", |(_, day, _)| *day == 0),
    ("+WHERE+time+%3E=+'1970-01-02'", |(_, day, _)| *day > 0),
    ("+WHERE+t='a'", |(tag, _, _)| *tag == "a"),
];

async fn check_questions(running: &Running, rows: &[Row]) {
    for (condition, wants) in QUESTIONS {
        let wanted: Vec<u64> = rows.iter().filter(|row| wants(row)).map(|(.., x)| *x).collect();
        assert_eq!(values_of_x(running, condition).await, wanted, "{condition}");
    }
}

/// A querier kept a list of files that it did not know to be old: the signal to read it again was
/// the same when other partitions had been asked for, or none, or after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn z7_whatever_was_asked_before_a_query_misses_no_file() {
    let world = World::new();
    let running = world.start().await;
    let mut rows: Vec<Row> = Vec::new();
    for (x, (tag, day)) in (0..).zip([("a", 0), ("b", 5), ("b", 0), ("a", 5)]) {
        let line = format!("m,t={tag} x={x}i {}", day * DAY_NS + x);
        assert_eq!(send(&running, line).await, StatusCode::NO_CONTENT);
        rows.push((tag, day, x));
        check_questions(&running, &rows).await;
        running.persist().await.expect("is persisted");
        check_questions(&running, &rows).await;
    }
    let within = Duration::from_secs(60);
    assert_eq!(running.node.ingester.drain(within).await, Drained::Completely);
    running.abandon().await;

    // This process has never seen the table: there is nothing to replay.
    let running = world.start().await;
    check_questions(&running, &rows).await;
    running.abandon().await;
}

/// A client that did not know the outcome sent its lines again, and each row was there twice.
#[tokio::test(flavor = "multi_thread")]
async fn b16_z12_a_request_that_is_sent_again_adds_no_row() {
    let world = World::new();
    let lines = || format!("m,t=a x=1i 1\nm,t=b x=2i 1\nm,t=b x=3i {DAY_NS}");
    let check = async |running: &Running| {
        assert_eq!(send(running, lines()).await, StatusCode::NO_CONTENT);
        assert_eq!(values_of_x(running, "").await, [1, 2, 3]);
    };
    let running = world.start().await;
    for _ in 0..2 {
        check(&running).await;
        check(&running).await;
        running.persist().await.expect("is persisted");
        assert_eq!(values_of_x(&running, "").await, [1, 2, 3]);
    }
    check(&running).await;
    running.abandon().await;

    let running = world.start().await;
    check(&running).await;
    running.abandon().await;
}

/// Lines of four megabytes for each of these days.
fn large_lines(days: Range<u64>) -> impl Iterator<Item = String> {
    let text = "x".repeat(60_000);
    days.map(move |day| {
        let line =
            |row| format!("m,t=a s=\"{text}\",x={}i {}\n", 70 * day + row, day * DAY_NS + row);
        (0..70).map(line).collect::<String>()
    })
}

/// A node that replayed had no open port and told nobody how far it was; and one whose log was
/// larger than its memory ran out of it at each start.
#[tokio::test(flavor = "multi_thread")]
async fn b19_z17_a_node_says_how_far_its_replay_is_and_needs_no_memory_for_all_of_it() {
    let world = World::new();
    let running = begin(&world, &[ROOMY]).await;
    until_ready(&running).await;
    for lines in large_lines(0..12) {
        assert_eq!(send(&running, lines).await, StatusCode::NO_CONTENT);
    }
    running.abandon().await;

    // Less than the rows take, and no file can make room for them.
    world.store.set_down(true);
    let running = begin(&world, &["--memory-budget=64MiB"]).await;
    until_ready_says(&running, |status, text| {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        text.contains("replaying the log, ") && !text.contains("replaying the log, 0 of ")
    })
    .await;
    assert_eq!(running.get("/health").await.0, StatusCode::OK);
    let line = "m,t=a x=1i 1".to_owned();
    assert_eq!(send(&running, line).await, StatusCode::SERVICE_UNAVAILABLE);
    let query = "/api/v3/query_sql?db=db&q=SELECT+x+FROM+m";
    assert_eq!(running.get(query).await.0, StatusCode::SERVICE_UNAVAILABLE);
    world.store.set_down(false);
    until_ready(&running).await;
    running.abandon().await;

    let running = world.start().await;
    let expected: Vec<u64> = (0..12 * 70).collect();
    assert_eq!(values_of_x(&running, "").await, expected);
    running.abandon().await;
}

/// A shutdown waited for a store that was down, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn z18_a_shutdown_with_the_store_down_ends_at_its_deadline_and_loses_nothing() {
    let world = World::new();
    let running = world.start().await;
    running.write("m,t=a x=1i,y=2i,z=3i 1").await;
    world.store.set_down(true);
    let drained = running.node.ingester.drain(Duration::from_millis(100)).await;
    assert_eq!(drained, Drained::Partly);
    running.abandon().await;

    let running = world.start().await;
    assert_eq!(running.point().await, "1,2,3", "from the log");
    world.store.set_down(false);
    let within = Duration::from_secs(60);
    assert_eq!(running.node.ingester.drain(within).await, Drained::Completely);
    running.abandon().await;

    let running = world.start().await;
    assert_eq!(running.point().await, "1,2,3", "from a file");
    running.abandon().await;
}
