//! The planted bugs: a suite that never fails proves nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::reports::{Report, Reports, count};
use super::table::{table, whole};

const HEADINGS: [&str; 6] =
    ["bug", "the mistake", "simulation", "seeds until then, median:", "seen as", "crash loops"];

/// The crash loops of crates, with the names of their tests' logs.
const LOOPS: [(&str, &str); 2] = [("wal", "tests-wal"), ("catalog", "tests-catalog")];

pub(super) fn text(reports: &Reports) -> String {
    let bugs = reports.get("bugs").and_then(|report| report.get("bugs")?.as_array());
    let bugs: Vec<_> = bugs.into_iter().flatten().map(|bug| Bug::of(bug, reports)).collect();
    let caught = bugs.iter().filter(|bug| bug.is_caught()).count();
    let mut text = format!(
        "\n## Planted bugs\n\nOne build has all of these mistakes, and a switch at start makes one of \
         them. Caught: {caught} of {}. The simulation begins at several seeds; a crash loop goes \
         from one crash to the next.\n\n",
        bugs.len(),
    );
    text.push_str(&table(&HEADINGS, bugs.iter().map(Bug::row)));
    text
}

/// One bug, and who found it.
#[derive(Debug)]
struct Bug {
    name: String,
    mistake: String,
    searches: usize,
    /// For each search that found it: after how many seeds.
    found: Vec<u64>,
    kinds: BTreeSet<String>,
    loops: Vec<String>,
}

impl Bug {
    fn of(bug: &Value, reports: &Reports) -> Self {
        let name = bug["name"].as_str().unwrap_or_default().to_owned();
        let mistake = bug["mistake"].as_str().unwrap_or_default().to_owned();
        let searches: Vec<&Report> = reports.numbered(&format!("planted-{name}")).collect();
        let (mut found, mut kinds) = (Vec::new(), BTreeSet::new());
        for search in &searches {
            let failed = search.get("failed").and_then(Value::as_array);
            if let Some(first) = failed.and_then(|failed| failed.first()) {
                found.push(count(search, "seeds"));
                kinds.insert(first["kind"].as_str().unwrap_or_default().to_owned());
            }
        }
        found.sort_unstable();
        let loops = LOOPS.iter().filter_map(|(of, log)| {
            let at = caught_at(reports.log(log), &name)?;
            Some(format!("{of}, at {at}"))
        });
        let (searches, loops) = (searches.len(), loops.collect());
        Self { name, mistake, searches, found, kinds, loops }
    }

    fn is_caught(&self) -> bool {
        !self.found.is_empty() || !self.loops.is_empty()
    }

    fn row(&self) -> Vec<String> {
        let caught = format!("{} of {}", self.found.len(), self.searches);
        let kinds: Vec<_> = self.kinds.iter().map(String::as_str).collect();
        let loops = if self.loops.is_empty() { "–".to_owned() } else { self.loops.join("; ") };
        vec![
            format!("`{}`", self.name),
            self.mistake.clone(),
            if self.is_caught() { caught } else { format!("**{caught}**") },
            self.median(),
            kinds.join(", "),
            loops,
        ]
    }

    /// A search that found nothing took longer than all others.
    fn median(&self) -> String {
        let median = self.found.get(self.searches.saturating_sub(1) / 2);
        median.map_or_else(|| "–".to_owned(), |seeds| whole(*seeds))
    }
}

/// Where the loop of a test was when it caught the bug, as the test has said.
fn caught_at(log: &str, name: &str) -> Option<u64> {
    let (_, rest) = log.split_once(&format!("planted {name} caught at seed "))?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bug_has_a_line_with_who_caught_it() {
        let bugs = r#"{"bugs":[{"name":"one","mistake":"A."},{"name":"one-more","mistake":"B."}]}"#;
        let found = |seeds| format!(r#"{{"seeds":{seeds},"failed":[{{"kind":"read"}}]}}"#);
        let (first, second) = (found(7), found(3));
        let reports = [
            ("bugs", bugs),
            ("planted-one-0", first.as_str()),
            ("planted-one-1000", second.as_str()),
            ("planted-one-2000", r#"{"seeds":200,"failed":[]}"#),
            ("planted-one-more-0", r#"{"seeds":200,"failed":[]}"#),
        ];
        let log = "    planted one caught at seed 12\n";
        let text = text(&Reports::of(&reports, &[("tests-wal", log)]));
        assert!(text.contains("| `one` | A. | 2 of 3 | 7 | read | wal, at 12 |\n"), "{text}");
        assert!(text.contains("| `one-more` | B. | **0 of 1** | – |  | – |\n"), "{text}");
        assert!(text.contains("Caught: 1 of 2."), "{text}");
    }
}
