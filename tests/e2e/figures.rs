//! Goal: figures of this machine, for who reads them: none of them is asserted.
//! Method: the same scenarios as the other tests, with a clock beside them. They take minutes and
//! mean little in a debug build, so they are there only with the feature `benches`:
//!
//! ```text
//!   cargo build --release
//!   FOREBAY_BIN=$PWD/target/release/forebay cargo xtask test \
//!       --features server/benches --no-capture -E 'test(figures)'
//! ```

use std::time::{Duration, Instant};

use reqwest::blocking::Client;

use crate::housekeeping::FLAGS;
use crate::server::{DataDir, Server};
use crate::whole_year::{assert_whole, load};

const ROUNDS: usize = 5;
/// Lines of the flights data set.
const LINES: f64 = 362_891.0;

/// What `run` gives, and how long it took.
#[allow(clippy::disallowed_methods, reason = "figures are times")]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = run();
    (done, begin.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The median time of some loads of the flights data set.
fn load_time(server: &Server) -> Duration {
    median((0..ROUNDS).map(|_| timed(|| load(server)).1).collect())
}

#[test]
fn a_million_one_row_writes() {
    const WRITERS: u64 = 64;
    const WRITES: u64 = 1_000_000 / WRITERS;
    let dir = DataDir::new();
    // Large enough that all of it is still in the buffer when it is looked at.
    let server = dir.serve(&["--persist-hot-partition-size", "1GiB"]);
    let write_all = |writer: u64| {
        let client = Client::new();
        for n in 0..WRITES {
            let line = format!("cpu,host=h{writer},region=eu usage={n}.5,idle=1i {n}");
            assert_eq!(server.post_lines(&client, "db", line), Some(204));
        }
    };
    let ((), took) = timed(|| {
        std::thread::scope(|scope| {
            (0..WRITERS).for_each(|writer| drop(scope.spawn(move || write_all(writer))));
        });
    });
    let rows = WRITERS * WRITES;
    let count = || {
        let (counted, took) = timed(|| server.count("db", "cpu"));
        assert_eq!(counted, rows);
        took
    };
    let counts: Vec<Duration> = (0..ROUNDS).map(|_| count()).collect();
    let bytes = server.metric("forebay_buffer_unsealed_bytes", "");
    println!(
        "{rows} one-row writes, {WRITERS} writers: {:.0} a second; {} bytes a row; count(*) {:?}",
        rows as f64 / took.as_secs_f64(),
        bytes / rows,
        median(counts),
    );
    assert!(bytes / rows <= 400);
    server.kill();
    let (server, took) = timed(|| dir.serve(&[]));
    assert_eq!(server.count("db", "cpu"), rows);
    println!("ready again {took:?} after kill -9");
}

#[test]
fn writers_beside_twenty_slow_readers() {
    let dir = DataDir::new();
    let server = dir.serve(&FLAGS);
    load(&server);
    let alone = load_time(&server);
    // Far more than a socket holds: once its buffers are full, a reader costs no more time.
    let readers: Vec<_> =
        (0..20).map(|_| server.begin_query("nyc", "SELECT * FROM flights")).collect();
    load(&server);
    let beside = load_time(&server);
    assert_whole(&server);
    drop(readers);
    let alone_again = load_time(&server);
    let rate = |time: Duration| LINES / time.as_secs_f64();
    println!(
        "lines a second alone {:.0}, beside 20 readers that hold their streams {:.0}, alone again \
         {:.0}",
        rate(alone),
        rate(beside),
        rate(alone_again),
    );
}

#[test]
fn the_flights_data_set() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let count = |server: &Server| median((0..ROUNDS).map(|_| counted(server)).collect());
    let ((), wrote) = timed(|| load(&server));
    let from_buffer = count(&server);
    server.kill();
    let (server, replayed) = timed(|| dir.serve(&[]));
    assert_whole(&server);
    let (_, persisted) = timed(|| server.ok(&["persist", "-d", "nyc"], b""));
    let from_files = count(&server);
    let (status, ended) = timed(|| server.terminate());
    assert!(status.success());
    let (server, started) = timed(|| dir.serve(&[]));
    assert_whole(&server);
    println!(
        "362,891 lines: write {wrote:?}, count(*) from the buffer {from_buffer:?}, ready after \
         kill -9 {replayed:?}, persist of 730 partitions {persisted:?}, count(*) from files \
         {from_files:?}, SIGTERM {ended:?}, start {started:?}"
    );
}

fn counted(server: &Server) -> Duration {
    let (flights, took) = timed(|| server.count("nyc", "flights"));
    assert_eq!(flights, 336_776);
    took
}
