//! The first table: how often each thing was done to the program, and what was lost, phantom or
//! double.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reports::{Report, Reports, count};
use super::table::{measured, table, whole};

/// The scenarios: the name of the report, in words, and what it has of them.
const DONE: [(&str, &str, &str); 14] = [
    ("kills", "processes killed, at any moment and at named points", "kills"),
    ("power", "power cuts", "cuts"),
    ("eio", "syncs that failed", "failures"),
    ("full-disk", "full disks", "episodes"),
    ("pause", "processes stopped for a while", "stops"),
    ("rot", "places of files damaged", "flips"),
    ("slow-disk", "slow disks", ""),
    ("memory", "loads at once in a small cgroup", ""),
    ("overload", "overloads", ""),
    ("outage-store", "outages of the object store", ""),
    ("outage-catalog-hangs", "outages of the catalog, which hangs", ""),
    ("outage-catalog-refuses", "outages of the catalog, which refuses", ""),
    ("recovery", "large logs recovered", ""),
    ("fsync", "loads for figures", ""),
];

const HEADINGS: [&str; 9] = [
    "what was done",
    "times:",
    "requests acknowledged:",
    "views judged:",
    "lost:",
    "phantom:",
    "double:",
    "torn or stale:",
    "promises kept",
];

pub(super) fn text(reports: &Reports) -> String {
    let mut rows: Vec<_> = DONE.iter().map(|done| row(reports, *done)).collect();
    let simulated = Simulated::of(reports);
    rows.push(simulated.row());
    let mut text = String::from("\n## What was lost\n\n");
    text.push_str(&table(&HEADINGS, rows));
    text.push_str(
        "\nLost: acknowledged and not there. Phantom: never sent, or refused, and there. Double: \
         twice in one answer. Torn: a part of a request. Stale: older than what was acknowledged, \
         or than what was read before.\n",
    );
    let failed: Vec<_> = reports.failed().collect();
    if !failed.is_empty() {
        text.push_str(&format!("\n**Not as it should be:** {}.\n", failed.join(", ")));
    }
    if let Some(power) = reports.get("power") {
        let (torn, empty) = (count(power, "torn_tails"), count(power, "empty_files"));
        text.push_str(&format!(
            "\nThe power cuts left {} torn tails in logs and catalogs and {} empty files; the \
             server came up over each.\n",
            whole(torn),
            whole(empty),
        ));
    }
    text + &simulated.text()
}

fn row(reports: &Reports, (name, words, times): (&str, &str, &str)) -> Vec<String> {
    let Some(report) = reports.get(name) else {
        let nothing = HEADINGS[2..].iter().map(|_| "–".to_owned());
        return [words.to_owned(), "**not run**".to_owned()].into_iter().chain(nothing).collect();
    };
    let times = if times.is_empty() { 1 } else { count(report, times) };
    let not_newest: u64 =
        ["torn", "stale", "regressed"].map(|name| count(report, name)).iter().sum();
    let counts = [
        times,
        count(report, "requests_acked"),
        count(report, "reads"),
        count(report, "lost"),
        count(report, "phantom"),
        count(report, "double"),
        not_newest,
    ];
    let counts = counts.map(whole);
    [words.to_owned()].into_iter().chain(counts).chain([kept(is_clean(report))]).collect()
}

fn is_clean(report: &Report) -> bool {
    report.get("clean").and_then(Value::as_bool).unwrap_or_default()
}

fn kept(clean: bool) -> String {
    let word = if clean { "yes" } else { "**no**" };
    word.to_owned()
}

/// The simulation, over all of its processes.
#[derive(Debug, Default)]
struct Simulated {
    processes: u64,
    seeds: u64,
    seconds: u64,
    lost: [u64; 3],
    failed: Vec<String>,
    counts: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
}

impl Simulated {
    fn of(reports: &Reports) -> Self {
        let mut sum = Self::default();
        for report in reports.numbered("sim") {
            sum.processes += 1;
            sum.seeds += count(report, "seeds");
            sum.seconds += count(report, "virtual_seconds");
            for (sum, name) in sum.lost.iter_mut().zip(["lost", "phantom", "double"]) {
                *sum += count(report, name);
            }
            add(&mut sum.counts, report.get("counts"));
            add(&mut sum.faults, report.get("faults"));
            let failed = report.get("failed").and_then(Value::as_array);
            sum.failed.extend(failed.into_iter().flatten().map(|seed| {
                let word = |name: &str| seed[name].as_str().unwrap_or_default();
                format!("seed {}: {}: {}", seed["seed"], word("kind"), word("what"))
            }));
        }
        sum
    }

    fn of_counts(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    fn row(&self) -> Vec<String> {
        let words = "seeds of the simulation".to_owned();
        let acked = self.of_counts("requests acknowledged");
        let reads = self.of_counts("reads") + self.of_counts("reads of files");
        let [lost, phantom, double] = self.lost;
        // What is torn or stale, the simulation counts as lost.
        let counts = [self.seeds, acked, reads, lost, phantom, double, 0].map(whole);
        let clean = kept(self.processes > 0 && self.failed.is_empty());
        [words].into_iter().chain(counts).chain([clean]).collect()
    }

    fn text(&self) -> String {
        let hours = measured(self.seconds as f64 / 3_600.0);
        let faults = whole(self.faults.values().sum());
        let mut text = format!(
            "\n## The simulation\n\nA whole node on one thread with a modelled disk, object store, \
             catalog and clock: {} seeds, {hours} hours of its time, {faults} faults.\n\n",
            whole(self.seeds),
        );
        for seed in &self.failed {
            text.push_str(&format!("**Broken:** {seed}\n\n"));
        }
        let rows = |counts: &BTreeMap<String, u64>| -> Vec<_> {
            counts.iter().map(|(name, count)| vec![name.clone(), whole(*count)]).collect()
        };
        text.push_str(&table(&["what happened", "times:"], rows(&self.counts)));
        text.push('\n');
        text.push_str(&table(&["fault", "times:"], rows(&self.faults)));
        text
    }
}

/// Adds the counts of an object to those of the same names.
fn add(sums: &mut BTreeMap<String, u64>, counts: Option<&Value>) {
    for (name, count) in counts.and_then(Value::as_object).into_iter().flatten() {
        *sums.entry(name.clone()).or_default() += count.as_u64().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_a_line_and_so_has_the_simulation() {
        let eio = r#"{"clean":true,"failures":7,"requests_acked":1200,"stale":1,"regressed":2}"#;
        let sim = r#"{"clean":true,"seeds":2,"counts":{"reads":3},"faults":{"disk: full":4}}"#;
        let reports = Reports::of(&[("eio", eio), ("sim-0", sim), ("sim-2", sim)], &[]);
        let text = text(&reports);
        for line in [
            "| syncs that failed | 7 | 1,200 | 0 | 0 | 0 | 0 | 3 | yes |",
            "| power cuts | **not run** | – | – | – | – | – | – | – |",
            "| seeds of the simulation | 4 | 0 | 6 | 0 | 0 | 0 | 0 | yes |",
            "| disk: full | 8 |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_seed_that_failed_is_told() {
        let sim = r#"{"seeds":1,"lost":3,"failed":[{"seed":9,"kind":"read","what":"3 lost"}]}"#;
        let text = text(&Reports::of(&[("sim-0", sim)], &[]));
        assert!(text.contains("| seeds of the simulation | 1 | 0 | 0 | 3 | 0 | 0 | 0 | **no** |"));
        assert!(text.contains("**Broken:** seed 9: read: 3 lost\n"), "{text}");
    }
}
