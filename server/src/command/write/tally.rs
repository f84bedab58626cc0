//! What became of the lines.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use indicatif::HumanCount;

use super::answer::BadLines;
use super::batches::Batch;
use crate::command::host::RefusedLine;

/// How many bad lines are shown; the others are counted.
const BAD_LINES_SHOWN: usize = 100;

/// Counts of lines and bytes, and the bad lines that were told.
#[derive(Debug, Default)]
pub(super) struct Tally {
    kept: u64,
    bad: u64,
    bytes: u64,
    retries: u64,
    shown: Vec<BadLine>,
}

/// A line that was not kept.
#[derive(Debug)]
struct BadLine {
    path: Arc<Path>,
    number: Option<u64>,
    reason: String,
    text: String,
}

impl BadLine {
    fn of(batch: &Batch, line: RefusedLine) -> Self {
        Self {
            path: Arc::clone(&batch.path),
            number: batch.number_of(line.line_number),
            reason: line.error_message,
            text: line.original_line,
        }
    }
}

impl Tally {
    /// A batch of which all lines are kept.
    pub(super) fn kept_whole(batch: &Batch) -> Self {
        Self { kept: batch.len(), bytes: batch.body.len() as u64, ..Self::default() }
    }

    /// A batch of which some lines are bad.
    pub(super) fn with_bad_lines(batch: &Batch, bad: BadLines) -> Self {
        let not_kept = if bad.others_kept { bad.count.min(batch.len()) } else { batch.len() };
        let shown = bad.told.into_iter().map(|line| BadLine::of(batch, line));
        Self {
            kept: batch.len() - not_kept,
            bad: not_kept,
            bytes: batch.body.len() as u64,
            retries: 0,
            shown: shown.take(BAD_LINES_SHOWN).collect(),
        }
    }

    /// Counts a try that has to be repeated.
    pub(super) const fn count_retry(&mut self) {
        self.retries += 1;
    }

    /// Adds what became of other lines.
    pub(super) fn add(&mut self, other: Self) {
        self.kept += other.kept;
        self.bad += other.bad;
        self.bytes += other.bytes;
        self.retries += other.retries;
        let room = BAD_LINES_SHOWN.saturating_sub(self.shown.len());
        self.shown.extend(other.shown.into_iter().take(room));
    }

    /// True if no line was refused.
    pub(super) const fn is_complete(&self) -> bool {
        self.bad == 0
    }

    /// Lines that are kept.
    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    /// One line about all of it.
    pub(super) fn summary(&self, took: Duration) -> String {
        format!(
            "{} lines kept, {} bad, {} in {:.1} s: {} rows/s, {} retries",
            HumanCount(self.kept),
            HumanCount(self.bad),
            ByteSize(self.bytes),
            took.as_secs_f64(),
            HumanCount(rate(self.kept, took)),
            HumanCount(self.retries),
        )
    }

    /// Tells the first bad lines, in the order in which they were refused.
    pub(super) fn tell_bad_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for line in &self.shown {
            let number = line.number.map(|number| format!(":{number}")).unwrap_or_default();
            writeln!(out, "{}{number}: {}: {}", line.path.display(), line.reason, line.text)?;
        }
        let more = self.bad.saturating_sub(self.shown.len() as u64);
        if more > 0 {
            writeln!(out, "and {} more bad lines", HumanCount(more))?;
        }
        Ok(())
    }
}

/// Lines a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for people"
)]
pub(super) fn rate(lines: u64, took: Duration) -> u64 {
    // A clock too coarse for a short input must not divide by zero.
    (lines as f64 / took.as_secs_f64().max(0.001)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::write::batches::tests::batches;

    fn bad_lines(numbers: &[u64], count: u64) -> BadLines {
        let told = numbers.iter().map(|number| RefusedLine {
            line_number: *number,
            original_line: "b f=x".to_owned(),
            error_message: "not a number".to_owned(),
        });
        BadLines { told: told.collect(), count, others_kept: true }
    }

    fn told(tally: &Tally) -> String {
        let mut out = Vec::new();
        tally.tell_bad_lines(&mut out).expect("memory takes bytes");
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn bad_lines_are_told_with_their_place_in_the_input() {
        let batch = &batches("# head\na f=1 1\nb f=x 2\n", 10)[0];
        let tally = Tally::with_bad_lines(batch, bad_lines(&[2], 1));
        assert_eq!(told(&tally), "test:3: not a number: b f=x\n");
        assert_eq!((tally.kept, tally.bad), (1, 1));
    }

    #[test]
    fn many_bad_lines_are_counted() {
        let numbers: Vec<u64> = (1..=75).collect();
        let mut sum = Tally::default();
        for batch in batches(&"b f=x 2\n".repeat(200), 100) {
            sum.add(Tally::with_bad_lines(&batch, bad_lines(&numbers, 80)));
        }
        let text = told(&sum);
        assert_eq!(text.lines().count(), 101);
        assert!(text.ends_with("and 60 more bad lines\n"), "{text}");
        assert_eq!((sum.kept, sum.bad), (40, 160));
    }

    #[test]
    fn bad_lines_may_take_the_good_ones_with_them() {
        let batch = &batches("a f=1 1\nb f=x 2\n", 10)[0];
        let bad = BadLines { others_kept: false, ..bad_lines(&[2], 1) };
        let tally = Tally::with_bad_lines(batch, bad);
        assert_eq!((tally.kept, tally.bad), (0, 2));
        assert!(!tally.is_complete());
    }

    #[test]
    fn the_summary_has_the_rate() {
        let batch = &batches("a f=1 1\nb f=2 2\n", 10)[0];
        let summary = Tally::kept_whole(batch).summary(Duration::from_millis(500));
        assert_eq!(summary, "2 lines kept, 0 bad, 16 B in 0.5 s: 4 rows/s, 0 retries");
    }
}
