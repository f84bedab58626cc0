//! Goal: what was written is answered, wherever it is meanwhile.
//! Method: write real flights, ask, persist, ask again, and ask DuckDB about the files.

use crate::server::DataDir;
use crate::{duckdb, flights};

const BY_ORIGIN: &str = "SELECT origin, count(*), sum(distance) FROM flights GROUP BY origin \
                         ORDER BY origin";

#[test]
fn an_answer_is_the_same_from_the_buffer_from_files_and_from_a_stranger() {
    let lines = flights::first(20_000);
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    server.write("nyc", &lines);
    let count = format!("{}\n", flights::count(&lines, "flights,"));
    assert_eq!(server.query("nyc", "SELECT count(*) FROM flights"), count);
    let from_buffer = server.query("nyc", BY_ORIGIN);

    server.ok(&["persist", "-d", "nyc"], b"");
    assert_eq!(server.query("nyc", BY_ORIGIN), from_buffer);

    let files = format!("{}/objects/data/nyc/flights/*/*.parquet", dir.path().display());
    let by_stranger = duckdb::query(&BY_ORIGIN.replace("flights", &format!("'{files}'")));
    assert_eq!(by_stranger, from_buffer);
    assert!(server.terminate().success());
}

#[test]
fn the_newest_value_of_each_field_wins_across_buffer_and_files() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    server.write("home", b"room,name=hall t=1,h=10i 5\nroom,name=hall t=2 5\n");
    server.ok(&["persist", "-d", "home"], b"");
    server.write("home", b"room,name=hall t=3 5\n");
    assert_eq!(server.query("home", "SELECT t, h FROM room"), "3.0,10\n");
    server.ok(&["persist", "-d", "home", "-t", "room"], b"");
    assert_eq!(server.query("home", "SELECT t, h FROM room"), "3.0,10\n");
    assert_eq!(newest_by_stranger(&dir), "3.0,10\n");
    assert!(server.terminate().success());
}

/// What the documentation says about files that are not compacted.
fn newest_by_stranger(dir: &DataDir) -> String {
    let files = format!("{}/objects/data/home/room/*/*.parquet", dir.path().display());
    duckdb::query(&format!(
        "SELECT t, h FROM (
           SELECT name, time, arg_max(COLUMNS(* EXCLUDE (name, time, filename)), filename)
           FROM read_parquet('{files}', filename = true, union_by_name = true)
           GROUP BY name, time)"
    ))
}

#[test]
fn lines_without_a_time_get_the_time_of_the_client() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    server.write("home", b"room t=1\n");
    let recent = "SELECT count(*) FROM room WHERE time > now() - INTERVAL '1 hour' \
                  AND time < now() + INTERVAL '1 hour'";
    assert_eq!(server.query("home", recent), "1\n");
    assert!(server.terminate().success());
}
