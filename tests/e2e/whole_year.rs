//! Goal: a year of real data is there at once, all through a persist, and from files.
//! Method: load it with the client, ask all the while, compare with what is known of the data.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::server::{DataDir, Server, wait_until};
use crate::{duckdb, flights};

const FLIGHTS: u64 = 336_776;
const WEATHER: u64 = 26_115;

/// Loads all of the data set with the client that users have.
pub(crate) fn load(server: &Server) {
    server.ok(&["write", "-d", "nyc", &flights::path()], b"");
}

pub(crate) fn assert_whole(server: &Server) {
    assert_eq!(server.count("nyc", "flights"), FLIGHTS);
    assert_eq!(server.count("nyc", "weather"), WEATHER);
}

#[test]
fn all_rows_are_there_at_once_all_through_a_persist_and_from_files() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    load(&server);
    assert_whole(&server);
    assert_eq!(server.metric("forebay_buffer_rows", ""), FLIGHTS + WEATHER, "from the buffer");

    let persisted = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !persisted.load(Ordering::Relaxed) {
                assert_whole(&server);
            }
        });
        server.ok(&["persist", "-d", "nyc"], b"");
        persisted.store(true, Ordering::Relaxed);
    });
    assert_eq!(server.metric("forebay_buffer_rows", ""), 0, "from files");
    assert_whole(&server);
    let sums = "SELECT sum(distance) AS distance, count(dep_delay) AS delays, \
                count(DISTINCT tailnum) AS planes FROM flights";
    let row = server.rows("nyc", sums).remove(0);
    let known = serde_json::json!({ "distance": 350_217_607, "delays": 328_521, "planes": 4_043 });
    assert_eq!(row, known);

    let files = |table| format!("'{}/objects/data/nyc/{table}/*/*.parquet'", dir.path().display());
    let by_stranger = format!(
        "SELECT count(*), sum(distance)::BIGINT, count(dep_delay), count(DISTINCT tailnum) FROM {}",
        files("flights")
    );
    assert_eq!(duckdb::query(&by_stranger), "336776,350217607,328521,4043\n");
    let weather = format!("SELECT count(*), count(wind_gust) > 0 FROM {}", files("weather"));
    assert_eq!(duckdb::query(&weather), "26115,True\n");
    assert!(server.terminate().success());
}

#[test]
fn after_a_persist_and_a_rotation_no_sealed_segment_is_left_and_a_restart_replays_nothing() {
    let dir = DataDir::new();
    let server = dir.serve(&["--rotation-period", "500ms"]);
    load(&server);
    server.ok(&["persist", "-d", "nyc"], b"");
    wait_until("no sealed segment is left", || server.metric("forebay_wal_segments", "") == 0);
    assert!(server.terminate().success());

    let server = dir.serve(&[]);
    assert_eq!(server.metric("forebay_buffer_rows", ""), 0, "nothing was replayed");
    assert_whole(&server);
    assert!(server.terminate().success());
}
