//! A writer: requests over several tables and days, points that are overwritten field by field,
//! and repetitions where the outcome was not known.

use std::collections::{BTreeMap, BTreeSet};

use checker::{Outcome, Row, line_protocol};

use crate::client::Client;
use crate::node::Sent;
use crate::plan::{DAY_NS, FIRST_DAY_NS};
use crate::verdict::Kind;

/// How often one request is sent at most.
const ATTEMPTS_MAX: u64 = 3;

/// Writes until it is told to stop, or has written enough.
pub(crate) async fn run(client: Client) {
    for _ in 0..client.plan.requests_max {
        let pause = client.chance.millis(1, client.plan.pause_max);
        tokio::time::sleep(pause).await;
        if client.is_over() {
            return;
        }
        let outcome = request(&client).await;
        if outcome == Outcome::Rejected {
            tokio::time::sleep(client.chance.millis(5, 200)).await;
        }
    }
}

/// One request, with its repetitions where it is not known what became of it.
async fn request(client: &Client) -> Outcome {
    let rows = rows(client);
    let mut outcome = attempt(client, &rows).await;
    for _ in 1..ATTEMPTS_MAX {
        if outcome != Outcome::Unknown || client.chance.one_in(2) {
            break;
        }
        tokio::time::sleep(client.chance.millis(1, 100)).await;
        client.trace.count("requests repeated");
        outcome = attempt(client, &rows).await;
    }
    outcome
}

async fn attempt(client: &Client, rows: &[Row]) -> Outcome {
    let (number, count) = (client.number, rows.len());
    let op = client.ledger.invoke(rows.to_vec());
    client.trace.event(format_args!("writer {number}: {op} of {count} rows"));
    client.trace.count("requests");
    client.moment.happens();
    let outcome = match client.node.write(line_protocol(rows)).await {
        Sent::Kept => Outcome::Acked,
        Sent::Refused => Outcome::Rejected,
        Sent::Unknown => Outcome::Unknown,
        Sent::TooLarge => {
            let (partitions, max) = (partitions(rows), client.plan.sizes.partitions_max);
            if partitions <= max {
                let told = format!("{op} of {partitions} partitions, of {max}, is too large");
                client.findings.report(Kind::Failed, &told);
            }
            client.trace.count("requests too large");
            Outcome::Rejected
        }
        Sent::Wrong(status) => {
            // A node whose disk has failed says that it is at fault, which it is.
            if !client.vitals.may_die() {
                let told = format!("{op}, which is good, is answered with {status}");
                client.findings.report(Kind::Failed, &told);
            }
            Outcome::Unknown
        }
    };
    client.ledger.end(op, outcome);
    client.trace.event(format_args!("writer {number}: {op} {outcome:?}"));
    client.trace.count(match outcome {
        Outcome::Acked => "requests acknowledged",
        Outcome::Rejected => "requests refused",
        Outcome::Unknown => "requests with unknown outcome",
    });
    outcome
}

/// Rows of some points, each point once.
fn rows(client: &Client) -> Vec<Row> {
    let (chance, plan) = (&client.chance, &client.plan);
    let count = chance.within(1, plan.rows_max);
    let mut points = BTreeMap::new();
    for _ in 0..count {
        let point = (client.table(), series(client), time(client));
        points.entry(point).or_insert_with(|| fields(client));
    }
    let row = |((table, series, time), fields)| Row { table, series, time, fields };
    points.into_iter().map(row).collect()
}

/// How many partitions have some of these rows.
fn partitions(rows: &[Row]) -> usize {
    let partition = |row: &Row| (row.table.clone(), row.time.div_euclid(DAY_NS));
    rows.iter().map(partition).collect::<BTreeSet<_>>().len()
}

/// A series of its own, or one that all writers share.
fn series(client: &Client) -> String {
    match client.chance.below(3) {
        0 => format!("shared{}", client.chance.below(2)),
        _ => format!("w{}s{}", client.number, client.chance.below(3)),
    }
}

fn time(client: &Client) -> i64 {
    let day = client.chance.below(client.plan.days).cast_signed();
    let slot = client.chance.below(client.plan.slots).cast_signed();
    FIRST_DAY_NS + day * DAY_NS + slot * 1_000_000_000
}

/// At least one of a few fields; now and then one that the table may not have yet.
fn fields(client: &Client) -> Vec<(String, i64)> {
    let chance = &client.chance;
    let mut names: Vec<String> = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    names.retain(|_| chance.one_in(2));
    if names.is_empty() {
        names.push("a".to_owned());
    }
    if chance.one_in(40) {
        names.push(format!("x{}", chance.below(6)));
    }
    names.into_iter().map(|name| (name, client.ledger.next_value())).collect()
}
