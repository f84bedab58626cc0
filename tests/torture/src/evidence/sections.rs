//! What each scenario has counted besides, all of it.

use serde_json::Value;

use super::reports::{Report, Reports};
use super::table::{measured, table, whole};

/// What is in the first table.
const TOLD: [&str; 14] = [
    "scenario",
    "clean",
    "requests_acked",
    "reads",
    "lost",
    "phantom",
    "double",
    "torn",
    "stale",
    "regressed",
    "broken",
    "rows_read",
    "reads_refused",
    "delays",
];

/// Reports that have a part of the page to themselves.
const ELSEWHERE: [&str; 4] = ["bugs", "planted-", "sim-", "wal-"];

pub(super) fn text(reports: &Reports) -> String {
    let mut text = String::from("\n## All counts of the scenarios\n");
    for (name, report) in reports.all() {
        if !ELSEWHERE.iter().any(|begin| name.starts_with(begin)) {
            text.push_str(&section(name, report));
        }
    }
    text
}

fn section(name: &str, report: &Report) -> String {
    let mut rows = Vec::new();
    for (name, value) in report.iter().filter(|(name, _)| !TOLD.contains(&name.as_str())) {
        add(&name.replace('_', " "), value, &mut rows);
    }
    let mut text = format!("\n### {name}\n\n{}", table(&["figure", "value:"], rows));
    if let Some(broken) = report.get("broken").and_then(Value::as_array) {
        for promise in broken.iter().filter_map(Value::as_str) {
            text.push_str(&format!("\n**Broken:** {}\n", promise.replace('\n', " ")));
        }
    }
    text
}

/// Adds a row for each number in a value.
fn add(name: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let told = match value {
        Value::Object(members) => {
            for (member, value) in members {
                add(&format!("{name}: {}", member.replace('_', " ")), value, rows);
            }
            return;
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                add(&format!("{name} {}", at + 1), value, rows);
            }
            return;
        }
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(number), _) => whole(number),
            (None, Some(number)) => measured(number),
            (None, None) => number.to_string(),
        },
        Value::String(string) => string.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null => "–".to_owned(),
    };
    rows.push(vec![name.to_owned(), told]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_row_and_each_broken_promise_a_line() {
        let kills = r#"{"scenario":"kills","clean":false,"kills":7000,"lost":1,"broken":["a\nb"],
                "restart":{"p50_ms":1.5}}"#
            .replace('\n', "");
        let text = text(&Reports::of(&[("kills", kills.as_str()), ("sim-0", "{}")], &[]));
        assert!(text.contains("| kills | 7,000 |\n| restart: p50 ms | 1.50 |\n"), "{text}");
        assert!(text.ends_with("**Broken:** a b\n"), "{text}");
        assert!(!text.contains("| lost |") && !text.contains("sim-0"), "{text}");
    }
}
