//! What was measured: recovery, syncs, memory, overload and outages.

use serde_json::Value;

use super::reports::{Report, Reports, count, float};
use super::table::{measured, mib, table, whole};

const GIB: f64 = (1_u64 << 30) as f64;

pub(super) fn text(reports: &Reports) -> String {
    let parts = [recovery, syncs, memory, overload, outages];
    parts.map(|part| part(reports)).concat()
}

fn recovery(reports: &Reports) -> String {
    let mut text = String::from("\n## Recovery\n\n");
    let Some(report) = reports.get("recovery") else { return text + NOT_RUN };
    let bytes = count(report, "log_bytes");
    text.push_str(&format!(
        "A log of {} MiB with {} rows, which were written at {} rows a second.\n\n",
        mib(bytes),
        whole(count(report, "rows")),
        measured(float(report, "live_rows_per_second")),
    ));
    let headings = [
        "memory",
        "seconds:",
        "seconds a GiB:",
        "MiB/s:",
        "rows/s:",
        "of the live rate:",
        "texts of `/ready`:",
        "files persisted meanwhile:",
        "accounted MiB, budget:",
        "resident MiB:",
    ];
    let row = |(name, words): (&str, &str)| {
        let of = |member: &str| format!("{name}.{member}");
        let seconds = float(report, &of("until_ready_seconds"));
        vec![
            words.to_owned(),
            measured(seconds),
            measured(seconds * GIB / (bytes.max(1) as f64)),
            measured(float(report, &of("mib_per_second"))),
            measured(float(report, &of("rows_per_second"))),
            measured(float(report, &of("of_live_rate"))),
            whole(count(report, &of("progress_texts"))),
            whole(count(report, &of("files"))),
            accounted(report, &of("peak")),
            mib(count(report, &of("peak.resident_bytes"))),
        ]
    };
    let rows = [("roomy", "room for all of it"), ("small", "a small budget")].map(row);
    text.push_str(&table(&headings, rows));
    if let Some(kills) = reports.get("kills") {
        text.push_str(&format!(
            "\nAfter a kill under load a server takes writes again, counted from the start of its \
             process, within {} ms (p50) and {} ms (p99).\n",
            measured(float(kills, "restart.p50_ms")),
            measured(float(kills, "restart.p99_ms")),
        ));
    }
    text
}

fn syncs(reports: &Reports) -> String {
    let mut text = String::from("\n## Syncs\n\n");
    let Some(report) = reports.get("fsync") else { return text + NOT_RUN };
    let rows = [
        ("log", "fdatasync of the log"),
        ("raw", "a raw loop of write and fdatasync"),
        ("acks", "acknowledgements"),
    ];
    let rows = rows.map(|(name, words)| spread(report, name, words.to_owned()));
    text.push_str(&table(&SPREAD, rows));
    text.push_str(&format!(
        "\nRaw writes are as large as a group was on average: {} bytes, {} requests.\n",
        whole(count(report, "raw_write_bytes")),
        measured(float(report, "group_requests")),
    ));
    if let Some(eio) = reports.get("eio") {
        text.push_str(&format!(
            "\nAfter a sync that failed the process has ended within {} ms (p50) and {} ms (longest).\n",
            measured(float(eio, "until_end.p50_ms")),
            measured(float(eio, "until_end.max_ms")),
        ));
    }
    text + &slow_disk(reports)
}

fn slow_disk(reports: &Reports) -> String {
    let delays = reports.get("slow-disk").and_then(|report| report.get("delays")?.as_array());
    let row = |delay: &Report| {
        vec![
            whole(count(delay, "delay_ms")),
            measured(float(delay, "requests_per_second")),
            measured(float(delay, "group_requests")),
            measured(float(delay, "acks.p50_ms")),
            measured(float(delay, "acks.p99_ms")),
            whole(count(delay, "unknown")),
            measured(float(delay, "warm_up.acks.p99_ms")),
            whole(count(delay, "warm_up.unknown")),
            accounted(delay, "peak"),
        ]
    };
    let rows: Vec<_> = delays.into_iter().flatten().filter_map(Value::as_object).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let headings = [
        "delay of each sync, ms:",
        "requests/s:",
        "requests a group:",
        "ack p50, ms:",
        "ack p99, ms:",
        "unknown:",
        "first acks p99, ms:",
        "unknown of the first:",
        "accounted MiB, budget:",
    ];
    format!(
        "\nEach sync takes longer. The first writes, whose tables and columns the catalog has to \
         commit one after the other, are told by themselves; an outcome is unknown that was not there \
         within the 4.5 s after which clients give up.\n\n{}",
        table(&headings, rows),
    )
}

fn memory(reports: &Reports) -> String {
    let mut text = String::from("\n## Memory\n\n");
    let Some(report) = reports.get("memory") else { return text + NOT_RUN };
    let headings = [
        "accounted MiB, budget:",
        "resident MiB:",
        "cgroup MiB:",
        "killed by the kernel:",
        "rows/s:",
        "refusals:",
        "longest wait of a request, ms:",
    ];
    let row = vec![
        accounted(report, "peak"),
        mib(count(report, "peak.resident_bytes")),
        mib(count(report, "cgroup_bytes")),
        whole(count(report, "kernel_kills")),
        measured(float(report, "rows_per_second")),
        whole(count(report, "requests_rejected")),
        measured(float(report, "longest_wait_ms")),
    ];
    text.push_str("The flights data set into several databases at once, at full speed.\n\n");
    text.push_str(&table(&headings, [row]));
    text
}

fn overload(reports: &Reports) -> String {
    let mut text = String::from("\n## Overload\n\n");
    let Some(report) = reports.get("overload") else { return text + NOT_RUN };
    let headings = [
        "requests/s that are taken:",
        "offered:",
        "kept:",
        "refused:",
        "of unknown outcome:",
        "ack p99 from sending, ms:",
        "from when due, ms:",
        "accounted MiB, budget:",
        "resident MiB:",
    ];
    let rates = ["closed_rate", "offered_rate", "kept_rate", "refused_rate"];
    let mut row: Vec<_> = rates.iter().map(|rate| measured(float(report, rate))).collect();
    row.extend([
        whole(count(report, "requests_unknown")),
        measured(float(report, "acks.p99_ms")),
        measured(float(report, "acks_from_due.p99_ms")),
        accounted(report, "peak"),
        mib(count(report, "peak.resident_bytes")),
    ]);
    text.push_str(
        "Requests are due at twice the rate that clients get through who wait for their answers, \
         whether or not earlier ones were answered. A client that sends at moments of its own waits \
         from when its request was due.\n\n",
    );
    text.push_str(&table(&headings, [row]));
    text
}

fn outages(reports: &Reports) -> String {
    let headings = [
        "what",
        "for s:",
        "kept:",
        "refused:",
        "unknown:",
        "ack p50, ms:",
        "ack p99, ms:",
        "accounted MiB, budget:",
        "resident MiB:",
        "persisting again after ms:",
    ];
    let all = [
        ("outage-store", "no object store"),
        ("outage-catalog-hangs", "a catalog that hangs"),
        ("outage-catalog-refuses", "a catalog that refuses"),
    ];
    let row = |(name, words): (&str, &str)| {
        let Some(report) = reports.get(name) else {
            let mut row = vec![words.to_owned(), "**not run**".to_owned()];
            row.resize(headings.len(), "–".to_owned());
            return row;
        };
        let number = |name: &str| report.get(name).and_then(Value::as_f64);
        let told = |name: &str| number(name).map_or_else(|| "–".to_owned(), measured);
        vec![
            words.to_owned(),
            told("seconds"),
            whole(count(report, "requests_acked")),
            whole(count(report, "requests_rejected")),
            whole(count(report, "requests_unknown")),
            measured(float(report, "acks.p50_ms")),
            measured(float(report, "acks.p99_ms")),
            accounted(report, "peak"),
            mib(count(report, "peak.resident_bytes")),
            told("until_persisting_ms"),
        ]
    };
    let mut text = String::from("\n## Outages\n\n");
    text.push_str(&table(&headings, all.map(row)));
    text
}

const NOT_RUN: &str = "**Not run.**\n";

const SPREAD: [&str; 6] = ["what", "count:", "p50, ms:", "p99, ms:", "p99.9, ms:", "longest, ms:"];

/// A row of how a set of times is spread.
fn spread(report: &Report, name: &str, words: String) -> Vec<String> {
    let times = ["p50_ms", "p99_ms", "p999_ms", "max_ms"];
    let times = times.map(|time| measured(float(report, &format!("{name}.{time}"))));
    let times_taken = whole(count(report, &format!("{name}.count")));
    [words, times_taken].into_iter().chain(times).collect()
}

/// The most that was accounted, beside the budget.
fn accounted(report: &Report, peak: &str) -> String {
    let of = |name: &str| mib(count(report, &format!("{peak}.{name}")));
    format!("{} of {}", of("accounted_bytes"), of("budget_bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_and_what_was_not_run_too() {
        let recovery = r#"{"log_bytes":536870912,"rows":4000,"live_rows_per_second":100.0,
            "small":{"until_ready_seconds":10.0,"of_live_rate":4.0,
                     "peak":{"accounted_bytes":1048576,"budget_bytes":2097152}}}"#
            .replace('\n', "");
        let outage = r#"{"seconds":60.0,"requests_acked":5,"acks":{"p99_ms":12.0}}"#;
        let reports =
            Reports::of(&[("recovery", recovery.as_str()), ("outage-store", outage)], &[]);
        let text = text(&reports);
        assert!(text.contains("A log of 512 MiB with 4,000 rows"), "{text}");
        let small = "| a small budget | 10.0 | 20.0 | 0.00 | 0.00 | 4.00 | 0 | 0 | 1.00 of 2.00 |";
        assert!(text.contains(small), "{text}");
        assert!(text.contains("| no object store | 60.0 | 5 | 0 | 0 | 0.00 | 12.0 |"), "{text}");
        assert!(text.contains("| a catalog that hangs | **not run** | – |"), "{text}");
        assert!(text.contains("## Memory\n\n**Not run.**\n"), "{text}");
    }

    #[test]
    fn an_overload_and_slow_disks_have_a_row_each() {
        let overload = r#"{"closed_rate":200.0,"offered_rate":400.0,"kept_rate":250.5,
            "refused_rate":149.5,"requests_unknown":2,"acks":{"p99_ms":1500.0},
            "acks_from_due":{"p99_ms":1600.0},
            "peak":{"accounted_bytes":1048576,"budget_bytes":2097152,"resident_bytes":4194304}}"#
            .replace('\n', "");
        let slow = r#"{"delays":[{"delay_ms":50,"requests_per_second":600.0,"group_requests":30.0,
            "acks":{"p50_ms":100.0,"p99_ms":120.0},"unknown":1,
            "warm_up":{"acks":{"p99_ms":300.0},"unknown":9},
            "peak":{"accounted_bytes":1048576,"budget_bytes":2097152}}]}"#
            .replace('\n', "");
        let eio = r#"{"until_end":{"p50_ms":2.0,"max_ms":30.0}}"#;
        let all = [("overload", overload.as_str()), ("slow-disk", slow.as_str()), ("eio", eio)];
        let text = text(&Reports::of(&[all.as_slice(), &[("fsync", "{}")]].concat(), &[]));
        for line in [
            "| 200 | 400 | 251 | 150 | 2 | 1,500 | 1,600 | 1.00 of 2.00 | 4.00 |",
            "| 50 | 600 | 30.0 | 100 | 120 | 1 | 300 | 9 | 1.00 of 2.00 |",
            "After a sync that failed the process has ended within 2.00 ms (p50) and 30.0 ms (longest).",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
