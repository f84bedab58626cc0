//! Puts reports into one page: a table of what was lost, phantom or double over all scenarios, and
//! below it what each has measured.

use std::fmt::{Arguments, Write};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use clap::Args;
use serde_json::{Map, Value};

use crate::error::{During, Error};
use crate::program;

/// Counts that all scenarios have, which stand in the first table.
const TOTALS: [&str; 8] =
    ["requests_acked", "rows_acked", "reads", "lost", "phantom", "double", "torn", "stale"];

/// What all have besides, which is in the first table or nowhere.
const OTHER: [&str; 6] = ["scenario", "clean", "regressed", "broken", "rows_read", "reads_refused"];

/// Where reports are, and where the page goes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The directory with the reports: files `*.json`, of which the last line counts
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,

    /// The page
    #[arg(long, value_name = "FILE")]
    pub into: PathBuf,

    /// Texts that stand at its end, as they are
    #[arg(long, value_name = "FILE")]
    pub append: Vec<PathBuf>,
}

/// Writes the page.
///
/// # Errors
///
/// [`Error`] if a report cannot be read or the page not be written.
pub fn run(options: &Options) -> Result<(), Error> {
    let reports = reports(&options.from)?;
    let mut page = head()?;
    page.push_str(&summary(&reports));
    for report in &reports {
        page.push_str(&section(report));
    }
    for file in &options.append {
        let text = fs::read_to_string(file).during(format!("read {}", file.display()))?;
        page.push('\n');
        page.push_str(&text);
    }
    let into = &options.into;
    fs::write(into, page).during(format!("write {}", into.display()))
}

/// The reports, in the order of their files' names.
fn reports(dir: &Path) -> Result<Vec<Map<String, Value>>, Error> {
    let what = || format!("list {}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).during(what())? {
        files.push(entry.during(what())?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|path| report(path)).collect()
}

fn report(path: &Path) -> Result<Map<String, Value>, Error> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).during(format!("read {name}"))?;
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(line).map_err(|error| Error::answer(name, &error))
}

/// The title, and where the figures come from.
fn head() -> Result<String, Error> {
    let said = |words: &[&str]| -> Result<String, Error> {
        let output = program::run(Command::new(words[0]).args(&words[1..]))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = said(&["git", "rev-parse", "--short=12", "HEAD"])?;
    let date = said(&["date", "-u", "+%Y-%m-%d"])?;
    let kernel = said(&["uname", "-sr"])?;
    let cores = thread::available_parallelism().map_or(0, usize::from);
    Ok(format!(
        "# Evidence\n\nThis page is made by `cargo xtask evidence`; do not change it by hand.\n\
         Commit {commit}, {date}, {kernel}, {cores} cores.\n\n"
    ))
}

/// The table over all scenarios.
fn summary(reports: &[Map<String, Value>]) -> String {
    let mut text = "## What was lost\n\n| scenario |".to_owned();
    let words = TOTALS.map(|name| name.replace('_', " "));
    for word in words.iter().map(String::as_str).chain(["promises kept"]) {
        push(&mut text, format_args!(" {word} |"));
    }
    push(&mut text, format_args!("\n|---|{}---|\n", "--:|".repeat(TOTALS.len())));
    for report in reports.iter().filter(|report| report.contains_key("lost")) {
        push(&mut text, format_args!("| {} |", title(report)));
        for name in TOTALS {
            // What an earlier query saw and a later one did not is stale too.
            let regressed = if name == "stale" { count(report, "regressed") } else { 0 };
            push(&mut text, format_args!(" {} |", count(report, name) + regressed));
        }
        let clean = report.get("clean").and_then(Value::as_bool).unwrap_or_default();
        push(&mut text, format_args!(" {} |\n", if clean { "yes" } else { "**no**" }));
    }
    text
}

/// What one scenario has measured.
fn section(report: &Map<String, Value>) -> String {
    let mut text = format!("\n## {}\n\n| figure | value |\n|---|--:|\n", title(report));
    for (name, value) in report {
        if !TOTALS.contains(&name.as_str()) && !OTHER.contains(&name.as_str()) {
            rows(&name.replace('_', " "), value, &mut text);
        }
    }
    if let Some(broken) = report.get("broken").and_then(Value::as_array) {
        for promise in broken.iter().filter_map(Value::as_str) {
            push(&mut text, format_args!("\n**Broken:** {}\n", promise.replace('\n', " ")));
        }
    }
    text
}

/// A value in rows of its own: one for each number in it.
fn rows(name: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                rows(&format!("{name}: {}", member.replace('_', " ")), value, text);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                rows(&format!("{name} {}", at + 1), value, text);
            }
        }
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => push(text, format_args!("| {name} | {float:.2} |\n")),
            _ => push(text, format_args!("| {name} | {number} |\n")),
        },
        Value::String(string) => {
            let line = string.replace('\n', " ").replace('|', "\\|");
            push(text, format_args!("| {name} | {line} |\n"));
        }
        Value::Bool(truth) => push(text, format_args!("| {name} | {truth} |\n")),
        Value::Null => push(text, format_args!("| {name} | – |\n")),
    }
}

fn title(report: &Map<String, Value>) -> &str {
    report.get("scenario").and_then(Value::as_str).unwrap_or("?")
}

fn count(report: &Map<String, Value>, name: &str) -> u64 {
    report.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn push(text: &mut String, more: Arguments<'_>) {
    // Text in memory takes all that is written to it.
    let _ = text.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).expect("is an object")
    }

    #[test]
    fn each_number_has_a_row_and_each_broken_promise_a_line() {
        let report = report(
            r#"{"scenario":"kills","clean":false,"kills":7,"lost":1,"broken":["a\nb"],
                "restart":{"p50_ms":1.5}}"#,
        );
        let text = section(&report);
        assert!(text.contains("| kills | 7 |\n| restart: p50 ms | 1.50 |\n"), "{text}");
        assert!(text.ends_with("**Broken:** a b\n"), "{text}");
        assert!(!text.contains("| lost |"), "{text}");
    }

    #[test]
    fn the_first_table_has_a_line_for_each_scenario_that_judges() {
        let judging = r#"{"scenario":"eio","clean":true,"lost":0,"stale":1,"regressed":2}"#;
        let text = summary(&[report(judging), report(r#"{"scenario":"sim"}"#)]);
        assert!(text.ends_with("| eio | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 3 | yes |\n"), "{text}");
        assert!(!text.contains("sim"), "{text}");
    }
}
