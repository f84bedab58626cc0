//! Goal: what was acknowledged outlives the process.
//! Method: write, end the process in one way or another, start again, compare; and look at the log.

use crate::flights;
use crate::server::DataDir;

const ALL: &str = "SELECT (SELECT count(*) FROM flights) AS flights, \
                   (SELECT count(*) FROM weather) AS weather";

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let lines = flights::first(5_000);
    let (front, back) = lines.split_at(lines.len() / 2);
    let middle = front.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let dir = DataDir::new();

    let server = dir.serve(&[]);
    server.write("nyc", &lines[..middle]);
    // Some of it is in files when the process dies, the rest in the log alone.
    server.ok(&["persist", "-d", "nyc", "-t", "weather"], b"");
    server.write("nyc", &[&front[middle..], back].concat());
    let before = server.query("nyc", ALL);
    server.kill();

    let server = dir.serve(&[]);
    let rows = |table| flights::count(&lines, table);
    assert_eq!(before, format!("{},{}\n", rows("flights,"), rows("weather,")));
    assert_eq!(server.query("nyc", ALL), before);
    server.kill();

    let server = dir.serve(&[]);
    assert_eq!(server.query("nyc", ALL), before);
    assert!(server.terminate().success());
}

#[test]
fn a_shutdown_leaves_everything_in_files_and_the_logs_whole() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    server.write("nyc", &flights::first(2_000));
    let before = server.query("nyc", ALL);
    assert_eq!(server.terminate().code(), Some(0));

    let server = dir.serve(&[]);
    let buffered = "SELECT sum(buffered_rows) FROM system.partitions";
    let in_buffer = server.query("nyc", buffered);
    assert!(["0\n", "\n"].contains(&&*in_buffer), "{in_buffer:?}");
    assert_eq!(server.query("nyc", ALL), before);
    for log in ["wal", "catalog/log"] {
        let log = dir.path().join(log);
        let verdict = server.ok(&["wal", "verify", &log.display().to_string()], b"");
        assert!(verdict.ends_with(": whole\n"), "{verdict}");
    }
    assert!(server.terminate().success());
}
