//! Goal: housekeeping refuses no write, and slow readers hold up no writer.
//! Method: few permits and some 730 partitions that all want one, all the time; the server counts
//! what it refuses.

use std::io::Read;

use crate::server::{DataDir, Server, wait_until};
use crate::whole_year::{assert_whole, load};

pub(crate) const FLAGS: [&str; 8] = [
    "--persist-workers",
    "2",
    "--persist-queue-depth",
    "8",
    "--persist-max-age",
    "1s",
    "--rotation-period",
    "2s",
];

fn assert_nothing_refused(server: &Server) {
    assert_eq!(server.metric("forebay_write_requests_total", "ServerError"), 0);
}

#[test]
fn housekeeping_of_730_partitions_on_eight_permits_refuses_nobody() {
    let dir = DataDir::new();
    let server = dir.serve(&FLAGS);
    for _ in 0..3 {
        load(&server);
        assert_whole(&server);
    }
    assert_nothing_refused(&server);
    wait_until("all is in files", || server.metric("forebay_buffer_rows", "") == 0);
    assert_whole(&server);
    assert!(server.terminate().success());
}

#[test]
fn twenty_slow_readers_hold_up_no_writer_and_get_right_answers() {
    let dir = DataDir::new();
    let server = dir.serve(&FLAGS);
    load(&server);
    let readers: Vec<_> =
        (0..20).map(|_| server.begin_query("nyc", "SELECT flight FROM flights")).collect();
    for _ in 0..3 {
        load(&server);
    }
    assert_nothing_refused(&server);
    for (mut answer, mut bytes) in readers {
        answer.read_to_end(&mut bytes).expect("the stream goes on to its end");
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&bytes).expect("is whole");
        assert_eq!(rows.len(), 336_776);
    }
    assert_whole(&server);
    assert!(server.terminate().success());
}
