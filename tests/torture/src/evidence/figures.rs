//! What was measured: recovery, syncs, memory, overload and outages.

use serde_json::Value;

use super::reports::{Report, Reports, count, float};
use super::table::{measured, mib, table, whole};

const GIB: f64 = (1_u64 << 30) as f64;

pub(super) fn text(reports: &Reports) -> String {
    [recovery(reports), syncs(reports), memory(reports), outages(reports)].concat()
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
        ]
    };
    let rows: Vec<_> = delays.into_iter().flatten().filter_map(Value::as_object).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let headings =
        ["delay of each sync, ms:", "requests/s:", "requests a group:", "ack p50, ms:", "p99:"];
    format!("\nEach sync takes longer:\n\n{}", table(&headings, rows))
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
        ("overload", "twice the rate that it can take"),
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
    let mut text = String::from("\n## Overload and outages\n\n");
    text.push_str(&table(&headings, all.map(row)));
    if let Some(overload) = reports.get("overload") {
        text.push_str(&format!(
            "\nClients that wait for their answers get {} requests a second through; {} were offered \
             and {} of them kept.\n",
            measured(float(overload, "closed_rate")),
            measured(float(overload, "offered_rate")),
            measured(float(overload, "kept_rate")),
        ));
    }
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
}
