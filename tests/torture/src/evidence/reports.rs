//! The reports that a run has left.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{During, Error};

/// One report.
pub(super) type Report = Map<String, Value>;

/// All of them, by the names of their files without the ending.
#[derive(Debug, Default)]
pub(super) struct Reports {
    reports: BTreeMap<String, Report>,
    /// What tests have said.
    logs: BTreeMap<String, String>,
    /// Whoever found something, or could not be run to its end.
    failed: BTreeSet<String>,
}

impl Reports {
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let what = || format!("list {}", dir.display());
        let mut found = Self::default();
        for entry in fs::read_dir(dir).during(what())? {
            let path = entry.during(what())?.path();
            let part = |part: Option<&OsStr>| {
                part.and_then(|part| part.to_str()).unwrap_or_default().to_owned()
            };
            let (name, ending) = (part(path.file_stem()), part(path.extension()));
            if !["json", "failed", "log"].contains(&ending.as_str()) {
                continue;
            }
            if ending == "failed" {
                found.failed.insert(name.clone());
            }
            let bytes = fs::read(&path).during(format!("read {}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some(report) = last_line(&text) {
                found.reports.insert(name, report);
            } else if ending == "json" {
                return Err(Error::answer(path.display().to_string(), &"no report"));
            } else {
                found.logs.insert(name, text);
            }
        }
        Ok(found)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Report> {
        self.reports.get(name)
    }

    /// Those whose names are `stem` and a number behind it.
    pub(super) fn numbered(&self, stem: &str) -> impl Iterator<Item = &Report> {
        let all = self.reports.iter();
        all.filter_map(move |(name, report)| {
            let number = name.strip_prefix(stem)?.strip_prefix('-')?;
            number.bytes().all(|byte| byte.is_ascii_digit()).then_some(report)
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Report)> {
        self.reports.iter().map(|(name, report)| (name.as_str(), report))
    }

    /// What the tests of this name have said; nothing if they were not run.
    pub(super) fn log(&self, name: &str) -> &str {
        self.logs.get(name).map_or("", String::as_str)
    }

    pub(super) fn failed(&self) -> impl Iterator<Item = &str> {
        self.failed.iter().map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn of(reports: &[(&str, &str)], logs: &[(&str, &str)]) -> Self {
        let report = |text: &str| last_line(text).expect("is an object");
        let owned = |text: &str| text.to_owned();
        Self {
            reports: reports.iter().map(|(name, text)| (owned(name), report(text))).collect(),
            logs: logs.iter().map(|(name, text)| (owned(name), owned(text))).collect(),
            failed: BTreeSet::new(),
        }
    }
}

fn last_line(text: &str) -> Option<Report> {
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    serde_json::from_str(line).ok()
}

/// What is at `path`, the names of members with points between them.
pub(super) fn at<'a>(report: &'a Report, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = report.get(first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_object()?, rest) }
}

/// A count.
pub(super) fn count(report: &Report, path: &str) -> u64 {
    at(report, path).and_then(Value::as_u64).unwrap_or_default()
}

/// A measured number.
pub(super) fn float(report: &Report, path: &str) -> f64 {
    at(report, path).and_then(Value::as_f64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_found_by_name_and_by_number() {
        let reports = Reports::of(
            &[("sim-0", "said\n{\"a\":{\"b\":2}}\n"), ("sim-50", "{}"), ("sim-x", "{}")],
            &[("tests", "text")],
        );
        assert_eq!(reports.numbered("sim").count(), 2);
        let first = reports.get("sim-0").expect("is there");
        assert_eq!((count(first, "a.b"), count(first, "a.c"), count(first, "b")), (2, 0, 0));
        assert_eq!((reports.log("tests"), reports.log("others")), ("text", ""));
    }
}
