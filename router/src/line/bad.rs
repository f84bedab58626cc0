//! The lines of a request that are not kept, and what is told about them.

use serde::Serialize;

use crate::error::cut;

/// How many bad lines are told; the others are counted.
const TOLD_MAX: usize = 100;
/// How much of a bad line is told: enough to find it, little enough that a hundred fit an answer.
const ORIGINAL_LINE_BYTES_MAX: usize = 256;
/// How much is told of why: the parser repeats what it does not understand, which may be all of it.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// A line that is not kept, in the words of three generations of clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BadLine {
    /// Where the line begins in the body, counted from 1.
    pub(crate) line_number: usize,
    /// The beginning of the line.
    pub(crate) original_line: String,
    /// Why it is not kept, perhaps cut off.
    pub(crate) error_message: String,
}

/// The bad lines of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BadLines {
    told: Vec<BadLine>,
    count: usize,
    names_exhausted: bool,
}

impl BadLines {
    /// Adds a line; `names_exhausted` says that a limit of names, columns, tables or databases was
    /// hit.
    pub(crate) fn push(
        &mut self,
        line_number: usize,
        line: &[u8],
        why: &impl ToString,
        names_exhausted: bool,
    ) {
        self.count += 1;
        self.names_exhausted |= names_exhausted;
        if self.told.len() < TOLD_MAX {
            self.told.push(BadLine {
                line_number,
                original_line: beginning(line),
                error_message: cut(why.to_string(), MESSAGE_BYTES_MAX),
            });
        }
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// True if there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first of them.
    pub(crate) fn told(&self) -> &[BadLine] {
        &self.told
    }

    /// True if one of them hit a limit of names, columns, tables or databases.
    pub(crate) const fn names_exhausted(&self) -> bool {
        self.names_exhausted
    }
}

/// The beginning of a line, cut between two characters.
fn beginning(line: &[u8]) -> String {
    let head = &line[..line.len().min(ORIGINAL_LINE_BYTES_MAX)];
    let mut text = String::from_utf8_lossy(head);
    if head.len() < line.len() && text.ends_with(char::REPLACEMENT_CHARACTER) {
        let cut = text.trim_end_matches(char::REPLACEMENT_CHARACTER).len();
        text.to_mut().truncate(cut);
    }
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hundred_are_told_and_all_are_counted() {
        let mut bad = BadLines::default();
        for number in 1..=101 {
            bad.push(number, b"x", &"no fields", false);
        }
        assert_eq!((bad.count(), bad.told().len()), (101, 100));
        assert!(!bad.names_exhausted());
        bad.push(102, b"x", &"too many tables", true);
        assert!(bad.names_exhausted());
    }

    #[test]
    fn a_long_reason_is_cut() {
        let mut bad = BadLines::default();
        bad.push(1, b"x", &"ü".repeat(1_000_000), false);
        assert_eq!(bad.told()[0].error_message, "ü".repeat(512));
    }

    #[test]
    fn a_long_line_is_cut_between_two_characters() {
        let line = "ü".repeat(1_000);
        assert_eq!(beginning(line.as_bytes()), "ü".repeat(128));
        let odd = format!("x{line}");
        assert_eq!(beginning(odd.as_bytes()), format!("x{}", "ü".repeat(127)));
        assert_eq!(beginning(b"a\xff"), "a\u{fffd}");
    }
}
