//! Goal: whatever was acknowledged is there once after a kill, and nothing that was never sent.
//! Method: clients write points whose values are all different and tell the checker how each request
//! ended; the server is killed in the middle of a load, a persist, a replay or a shutdown; after the
//! next start the checker judges all that is there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use checker::read::json;
use checker::{Ledger, Outcome, Row, Scope, View, line_protocol};
use reqwest::blocking::Client;

use crate::flights::path;
use crate::server::{DataDir, Server, wait_until};
use crate::whole_year::{assert_whole, load};

/// Small and quick, so that segments, jobs and files are many.
const FLAGS: [&str; 6] =
    ["--wal-segment-size", "1MiB", "--persist-max-age", "200ms", "--rotation-period", "300ms"];

/// Lines a request.
const LINES: usize = 20;
/// Nanoseconds of a second, which is the precision of what is written here.
const SECOND: i64 = 1_000_000_000;
/// The table.
const TABLE: &str = "points";

/// Clients, and what they know.
struct Clients {
    ledger: Ledger,
    /// Requests that were refused, or got no answer, since the last start.
    refused: AtomicU64,
}

impl Clients {
    fn new() -> Self {
        Self { ledger: Ledger::in_memory(), refused: AtomicU64::new(0) }
    }

    /// Writes requests until one gets no answer.
    fn write_until_killed(&self, server: &Server, stop: &AtomicBool) {
        let client = Client::new();
        while !stop.load(Ordering::Relaxed) {
            let seconds: Vec<Row> = (0..LINES).map(|_| point(self.ledger.next_value())).collect();
            let lines = line_protocol(&seconds);
            let in_nanoseconds = |row: Row| Row { time: row.time * SECOND, ..row };
            let op = self.ledger.invoke(seconds.into_iter().map(in_nanoseconds).collect());
            let outcome = match server.post_lines(&client, "ledger", lines) {
                Some(204) => Outcome::Acked,
                Some(503) => Outcome::Rejected,
                Some(other) => panic!("status {other} for a good write"),
                None => Outcome::Unknown,
            };
            self.ledger.end(op, outcome);
            if outcome != Outcome::Acked {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            if outcome == Outcome::Unknown {
                return;
            }
        }
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn acknowledged(&self) -> u64 {
        self.ledger.counts().acked
    }

    /// Judges what the server shows.
    fn check(&self, server: &Server) {
        if self.acknowledged() == 0 {
            return;
        }
        let read = self.ledger.begin_read();
        let rows = server.rows("ledger", &format!("SELECT * FROM {TABLE}"));
        let view = View { rows: json(TABLE, &rows).expect("rows of the table") };
        let verdict = self.ledger.judge(read, &Scope::table(TABLE), &view);
        assert!(verdict.is_clean(), "{verdict}");
    }
}

/// The point with this value; its time is in seconds.
fn point(value: i64) -> Row {
    Row {
        table: TABLE.to_owned(),
        series: format!("w{}", value % 7),
        time: value * 977,
        fields: vec![("n".to_owned(), value)],
    }
}

/// Writes from several clients while `end` ends the server in some way.
fn write_and_end(dir: &DataDir, clients: &Clients, end: impl FnOnce(&Server)) {
    let server = dir.serve(&FLAGS);
    clients.check(&server);
    clients.refused.store(0, Ordering::Relaxed);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| clients.write_until_killed(&server, &stop));
        }
        end(&server);
        stop.store(true, Ordering::Relaxed);
    });
    // Its end is waited for.
    drop(server);
    clients.ledger.crashed();
}

fn wait_for_requests(clients: &Clients, requests: u64) {
    let enough = clients.acknowledged() + requests;
    wait_until("requests are acknowledged", || clients.acknowledged() >= enough);
}

#[test]
fn kills_in_the_middle_of_loads_lose_nothing() {
    let (dir, clients) = (DataDir::new(), Clients::new());
    for round in 0..12 {
        write_and_end(&dir, &clients, |server| {
            wait_for_requests(&clients, 5 + round * 9);
            server.signal("-KILL");
        });
    }
    clients.check(&dir.serve(&FLAGS));
}

#[test]
fn kills_during_a_persist_a_replay_and_a_shutdown_lose_nothing() {
    let (dir, clients) = (DataDir::new(), Clients::new());
    for round in 0..5 {
        write_and_end(&dir, &clients, |server| {
            wait_for_requests(&clients, 30);
            std::thread::scope(|scope| {
                scope.spawn(|| server.run(&["persist", "-d", "ledger"], b""));
                wait_for_requests(&clients, round);
                server.signal("-KILL");
            });
        });
        // This one replays, and may have come to any point of it.
        dir.listen(&FLAGS).kill();
        write_and_end(&dir, &clients, |server| {
            wait_for_requests(&clients, 30);
            server.signal("-TERM");
            if round % 2 == 0 {
                wait_until("the shutdown refuses writes", || clients.refused() > 0);
            }
            server.signal("-KILL");
        });
    }
    clients.check(&dir.serve(&FLAGS));
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
