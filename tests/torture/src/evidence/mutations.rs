//! What became of a log that was damaged, cut off, or whose disk failed: every case of a small log,
//! as the tests of `wal` have counted them.

use super::reports::{Report, Reports, count};
use super::table::{table, whole};

/// Damage: the name of the report, and what was done.
const DAMAGE: [(&str, &str); 17] = [
    ("flips-sealed", "each bit of a sealed log flipped"),
    ("flips-unsealed", "each bit of a log without its last seal flipped"),
    ("sectors", "sectors of the last group taken back, of which nobody was told"),
    ("truncations-older-sealed", "older segments of a sealed log cut off at each byte"),
    ("truncations-older-unsealed", "older segments of an unsealed log cut off at each byte"),
    ("truncations-newest-sealed", "the newest segment, sealed, cut off at each byte"),
    ("truncations-newest-unsealed", "the newest segment, unsealed, cut off at each byte"),
    ("truncations-newest-vouched", "the same where the catalog knows the last LSN"),
    ("zeros-front-sealed", "zeros to the end of an older segment of a sealed log"),
    ("zeros-front-unsealed", "zeros to the end of an older segment of an unsealed log"),
    ("zeros-front-begun", "zeros to the end of a segment in front of a begun one"),
    ("zeros-last-sealed", "zeros to the end of the newest segment, sealed"),
    ("zeros-last-unsealed", "zeros to the end of the newest segment, unsealed"),
    ("zeros-last-begun", "zeros over a begun segment"),
    ("second-kills-torn", "recovery of a torn log killed at each call of the disk"),
    ("second-kills-no-frames", "the same where the newest segment has no frames"),
    ("second-kills-first-group", "the same where a segment's first group is torn"),
];

const CALLS: [(&str, &str); 3] = [
    ("faults-eio", "EIO at each call"),
    ("faults-enospc", "ENOSPC at each call"),
    ("faults-full-disk", "a full disk from each call on"),
];

const LOOPS: [(&str, &str); 2] = [
    ("crash-loops", "crashes at any call"),
    ("crash-loops-full-disk", "the same, on disks that are full now and then"),
];

pub(super) fn text(reports: &Reports) -> String {
    let mut text = String::from(
        "\n## Damaged logs\n\nUndecidable: acknowledged frames at the very end are gone and nothing \
         in the bytes that are left tells it from a crash; a seal, a later frame or the catalog \
         decides it. Wrong: anything but all frames, a refusal or a prefix. A test tells its counts \
         when all cases are through, and a panic would end it before: so where there are counts, \
         there were 0 panics.\n\n",
    );
    let outcomes = ["whole", "refused", "torn", "undecidable", "wrong"];
    let headings =
        ["damage", "cases:", "whole:", "refused:", "torn tail:", "undecidable:", "wrong:"];
    text.push_str(&table(&headings, rows(reports, &DAMAGE, &outcomes, true)));
    text.push_str("\nOne call of the disk fails, at each place in the life of a log:\n\n");
    let headings = ["fault", "cases:", "the process ended:", "it went on:", "wrong:"];
    let ends = ["fatal", "went_on", "wrong"];
    text.push_str(&table(&headings, rows(reports, &CALLS, &ends, true)));
    text.push_str("\nLives of many processes on a modelled disk that forgets what it may:\n\n");
    let headings = [
        "loop",
        "seeds:",
        "crashes:",
        "acknowledged:",
        "refused:",
        "nobody told, and kept:",
        "nobody told, and lost:",
        "wrong:",
    ];
    let counts = ["seeds", "crashes", "acked", "refused", "unknown_kept", "unknown_lost", "wrong"];
    text.push_str(&table(&headings, rows(reports, &LOOPS, &counts, false)));
    text
}

/// A row for each test; one with the sum in front where `summed`, and one for all where there are
/// several.
fn rows(
    reports: &Reports,
    tests: &[(&str, &str)],
    names: &[&str],
    summed: bool,
) -> Vec<Vec<String>> {
    let mut sums = vec![0; names.len() + usize::from(summed)];
    let mut rows = Vec::new();
    for (name, words) in tests {
        let mut row = vec![(*words).to_owned()];
        let Some(report) = reports.get(&format!("wal-{name}")) else {
            row.push("**not run to its end**".to_owned());
            row.resize(1 + sums.len(), "–".to_owned());
            rows.push(row);
            continue;
        };
        let counts = counts(report, names, summed);
        for (sum, count) in sums.iter_mut().zip(&counts) {
            *sum += count;
        }
        row.extend(counts.into_iter().map(whole));
        rows.push(row);
    }
    let mut all = vec!["**all**".to_owned()];
    all.extend(sums.into_iter().map(whole));
    rows.push(all);
    rows
}

fn counts(report: &Report, names: &[&str], summed: bool) -> Vec<u64> {
    let counts = names.iter().map(|name| count(report, name));
    if summed {
        let sum: u64 = counts.clone().sum();
        [sum].into_iter().chain(counts).collect()
    } else {
        counts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_damage_has_a_line_and_there_is_one_for_all() {
        let flips = r#"{"whole":1,"refused":2000,"undecidable":3,"wrong":0}"#;
        let sectors = r#"{"whole":1,"torn":4}"#;
        let text =
            text(&Reports::of(&[("wal-flips-sealed", flips), ("wal-sectors", sectors)], &[]));
        for line in [
            "| each bit of a sealed log flipped | 2,004 | 1 | 2,000 | 0 | 3 | 0 |",
            "| EIO at each call | **not run to its end** | – | – | – |",
            "| **all** | 2,009 | 2 | 2,000 | 4 | 3 | 0 |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
