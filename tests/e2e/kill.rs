//! Goal: whatever was acknowledged is there once after a kill, and nothing that was never sent.
//! Method: clients write points whose values are all different and remember which requests were
//! acknowledged; the server is killed in the middle of a load, a persist, a replay or a shutdown;
//! after the next start each acknowledged point is there once, and each request whole or not at all.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use reqwest::blocking::Client;

use crate::flights::path;
use crate::server::{DataDir, Server, wait_until};
use crate::whole_year::{assert_whole, load};

/// Small and quick, so that segments, jobs and files are many.
const FLAGS: [&str; 6] =
    ["--wal-segment-size", "1MiB", "--persist-max-age", "200ms", "--rotation-period", "300ms"];

/// Lines a request.
const LINES: u64 = 20;

/// Points that were sent, and those of them that were acknowledged.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
    /// Requests that were refused, or got no answer, since the last start.
    refused: AtomicU64,
}

impl Ledger {
    /// Writes requests until one gets no answer.
    fn write_until_killed(&self, server: &Server, stop: &AtomicBool) {
        let client = Client::new();
        while !stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(LINES, Ordering::Relaxed);
            let points = first..first + LINES;
            let line = |n: u64| format!("points,writer=w{} n={n}i {}\n", n % 7, n * 977);
            match server.post_lines(&client, "ledger", points.clone().map(line).collect()) {
                Some(204) => self.acknowledged.lock().extend(points),
                Some(503) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Some(other) => panic!("status {other} for a good write"),
                None => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged.lock().len() as u64
    }

    /// Compares what the server shows with what was sent and acknowledged.
    fn check(&self, server: &Server) {
        let acknowledged = self.acknowledged.lock();
        if acknowledged.is_empty() {
            return;
        }
        let rows = server.rows("ledger", "SELECT n FROM points");
        let present: Vec<u64> = rows.iter().filter_map(|row| row["n"].as_u64()).collect();
        let distinct: BTreeSet<u64> = present.iter().copied().collect();
        assert_eq!(distinct.len(), present.len(), "a point is there twice");
        let lost: Vec<_> = acknowledged.difference(&distinct).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let sent = self.next.load(Ordering::Relaxed);
        assert!(distinct.iter().all(|n| *n < sent), "a point that was never sent");
        for first in (0..sent).step_by(LINES as usize) {
            let there = distinct.range(first..first + LINES).count() as u64;
            assert!(there == 0 || there == LINES, "request {first} is there in part: {there}");
        }
    }
}

/// Writes from several clients while `end` ends the server in some way.
fn write_and_end(dir: &DataDir, ledger: &Ledger, end: impl FnOnce(&Server)) {
    let server = dir.serve(&FLAGS);
    ledger.check(&server);
    ledger.refused.store(0, Ordering::Relaxed);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ledger.write_until_killed(&server, &stop));
        }
        end(&server);
        stop.store(true, Ordering::Relaxed);
    });
}

fn wait_for_requests(ledger: &Ledger, requests: u64) {
    let before = ledger.acknowledged();
    let enough = before + requests * LINES;
    wait_until("requests are acknowledged", || ledger.acknowledged() >= enough);
}

#[test]
fn kills_in_the_middle_of_loads_lose_nothing() {
    let (dir, ledger) = (DataDir::new(), Ledger::default());
    for round in 0..12 {
        write_and_end(&dir, &ledger, |server| {
            wait_for_requests(&ledger, 5 + round * 9);
            server.signal("-KILL");
        });
    }
    ledger.check(&dir.serve(&FLAGS));
}

#[test]
fn kills_during_a_persist_a_replay_and_a_shutdown_lose_nothing() {
    let (dir, ledger) = (DataDir::new(), Ledger::default());
    for round in 0..5 {
        write_and_end(&dir, &ledger, |server| {
            wait_for_requests(&ledger, 30);
            std::thread::scope(|scope| {
                scope.spawn(|| server.run(&["persist", "-d", "ledger"], b""));
                wait_for_requests(&ledger, round);
                server.signal("-KILL");
            });
        });
        // This one replays, and may have come to any point of it.
        dir.listen(&FLAGS).kill();
        write_and_end(&dir, &ledger, |server| {
            wait_for_requests(&ledger, 30);
            server.signal("-TERM");
            if round % 2 == 0 {
                wait_until("the shutdown refuses writes", || ledger.refused() > 0);
            }
            server.signal("-KILL");
        });
    }
    ledger.check(&dir.serve(&FLAGS));
}

#[test]
fn a_load_that_is_killed_and_repeated_leaves_each_row_once() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    std::thread::scope(|scope| {
        // The client gives up when the server is gone for good.
        scope.spawn(|| server.run(&["write", "-d", "nyc", "--retry-timeout", "1s", &path()], b""));
        wait_until("a part of the file is there", || {
            server.metric("forebay_buffer_rows", "") > 50_000
        });
        server.signal("-KILL");
    });
    drop(server);

    let server = dir.serve(&[]);
    assert!(server.count("nyc", "flights") > 0, "what was acknowledged is there");
    load(&server);
    assert_whole(&server);
    server.ok(&["persist", "-d", "nyc"], b"");
    load(&server);
    assert_whole(&server);
    server.ok(&["persist", "-d", "nyc"], b"");
    assert_whole(&server);
    assert!(server.terminate().success());
}
