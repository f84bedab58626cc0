//! Speaks HTTP to a server, where a client command would wait, retry, or look nicer than the wire.

use std::io::Read;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response, get};
use serde_json::Value;

use super::Server;

/// Nothing that these tests wait for may take longer: a guard against hanging, not a measurement.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(10);

impl Server {
    /// Sends lines whose times are seconds. Returns the status, or nothing if there was no answer.
    pub(crate) fn post_lines(&self, client: &Client, database: &str, lines: String) -> Option<u16> {
        let url = format!("{}/api/v3/write_lp?db={database}&precision=second", self.url);
        let answer = client.post(url).body(lines).send().ok()?;
        Some(answer.status().as_u16())
    }

    /// The rows of a query.
    pub(crate) fn rows(&self, database: &str, sql: &str) -> Vec<Value> {
        let answer = self.ask(database, sql);
        let status = answer.status();
        let text = answer.text().expect("the answer is whole");
        assert!(status.is_success(), "{sql}: {status}: {text}");
        serde_json::from_str(&text).expect("an array of objects")
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, database: &str, table: &str) -> u64 {
        let rows = self.rows(database, &format!("SELECT count(*) AS n FROM {table}"));
        rows[0]["n"].as_u64().expect("a count")
    }

    /// A query whose answer is read up to its first rows; the rest is left in the stream.
    pub(crate) fn begin_query(&self, database: &str, sql: &str) -> (Response, Vec<u8>) {
        let mut answer = self.ask(database, sql);
        assert!(answer.status().is_success(), "{}", answer.status());
        let mut first = vec![0; 1024];
        answer.read_exact(&mut first).expect("there are rows");
        (answer, first)
    }

    fn ask(&self, database: &str, sql: &str) -> Response {
        let client = Client::builder().timeout(None).build().expect("a client");
        let query = [("db", database), ("q", sql)];
        let url = format!("{}/api/v3/query_sql", self.url);
        client.get(url).query(&query).send().expect("is answered")
    }

    /// The sum of a metric over all of its series that have `label`.
    pub(crate) fn metric(&self, name: &str, label: &str) -> u64 {
        let text = get(format!("{}/metrics", self.url)).and_then(Response::text);
        let text = text.expect("metrics are served");
        let is_of = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        let series: Vec<&str> = text.lines().filter(is_of).collect();
        assert!(!series.is_empty(), "no {name} in:\n{text}");
        let of_label = series.iter().filter(|line| line.contains(label));
        of_label.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Sends a signal; the server may have ended already.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([name, &pid]).status();
        assert!(sent.is_ok(), "kill runs");
    }
}

/// Looks at a condition until it holds.
#[allow(clippy::disallowed_methods, reason = "the whole program goes by the clock of the system")]
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        std::thread::sleep(PACE);
    }
}
