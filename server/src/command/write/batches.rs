//! Lines gathered into the batches that are sent, each line with a time.

use std::io::BufRead;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::lines::{Holds, Line, Lines};
use crate::error::Error;

/// A batch is closed at so many bytes, however few its lines: well below the server's limit of a
/// body, and enough that a request's own cost does not matter.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// Whole lines, sent in one request.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The lines, one after the other, without blank lines and comments.
    pub(crate) body: Bytes,
    /// Where they come from.
    pub(crate) path: Arc<Path>,
    /// At least one.
    lines: Vec<Place>,
}

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Its number in the input.
    number: u64,
    /// Where it ends in the body.
    end: usize,
    /// The line breaks in the body up to its end: a server counts each, those within quotes too.
    breaks: u64,
}

impl Batch {
    /// The number of lines.
    pub(crate) fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// The number in the input of the line that is at line `nth` of the body, from 1.
    pub(crate) fn number_of(&self, nth: u64) -> Option<u64> {
        let before = nth.checked_sub(1)?;
        let at = self.lines.partition_point(|place| place.breaks <= before);
        self.lines.get(at).map(|place| place.number)
    }

    /// Both halves, or nothing for a single line.
    pub(crate) fn halves(&self) -> Option<[Self; 2]> {
        let (front, back) = self.lines.split_at(self.lines.len() / 2);
        let Place { end: middle, breaks, .. } = *front.last()?;
        let back = back.iter().map(|place| Place {
            number: place.number,
            end: place.end - middle,
            breaks: place.breaks - breaks,
        });
        Some([
            self.part(self.body.slice(..middle), front.to_vec()),
            self.part(self.body.slice(middle..), back.collect()),
        ])
    }

    fn part(&self, body: Bytes, lines: Vec<Place>) -> Self {
        Self { body, path: Arc::clone(&self.path), lines }
    }
}

/// Cuts an input into batches.
#[derive(Debug)]
pub(crate) struct Batches<R> {
    lines: Lines<R>,
    path: Arc<Path>,
    lines_max: NonZeroUsize,
    /// A line that has to have a batch of its own.
    alone: Option<Line>,
}

impl<R: BufRead> Batches<R> {
    /// Batches of the lines of `input`, called `path`, at most `lines_max` lines each.
    pub(crate) fn new(input: R, path: Arc<Path>, lines_max: NonZeroUsize) -> Self {
        Self { lines: Lines::new(input), path, lines_max, alone: None }
    }

    /// The next batch; `None` at the end. Its lines without a time get `now`.
    pub(crate) fn next(&mut self, now: i64) -> Result<Option<Batch>, Error> {
        let mut open = Open::default();
        if let Some(line) = self.alone.take() {
            open.push(&line, now);
            return Ok(Some(open.close(&self.path)));
        }
        while open.lines.len() < self.lines_max.get() && open.body.len() < BATCH_BYTES_MAX {
            let Some(line) = self.read()? else { break };
            match line.holds {
                Holds::Nothing => {}
                Holds::OpenQuote if open.lines.is_empty() => {
                    open.push(&line, now);
                    break;
                }
                Holds::OpenQuote => {
                    self.alone = Some(line);
                    break;
                }
                Holds::Timed | Holds::Untimed | Holds::Malformed => open.push(&line, now),
            }
        }
        Ok((!open.lines.is_empty()).then(|| open.close(&self.path)))
    }

    fn read(&mut self) -> Result<Option<Line>, Error> {
        let path = || self.path.to_path_buf();
        self.lines.next().map_err(|source| Error::Input { path: path(), source })
    }
}

/// A batch that lines are added to.
#[derive(Debug, Default)]
struct Open {
    body: Vec<u8>,
    lines: Vec<Place>,
}

impl Open {
    fn push(&mut self, line: &Line, now: i64) {
        let text = line.bytes.trim_ascii_end();
        self.body.extend_from_slice(text);
        if line.holds == Holds::Untimed {
            self.body.extend_from_slice(format!(" {now}").as_bytes());
        }
        self.body.push(b'\n');
        let within = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        let breaks = self.lines.last().map_or(0, |place| place.breaks) + within + 1;
        self.lines.push(Place { number: line.number, end: self.body.len(), breaks });
    }

    fn close(self, path: &Arc<Path>) -> Batch {
        Batch { body: self.body.into(), path: Arc::clone(path), lines: self.lines }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The batches of `input`, of `lines_max` lines, at the time 7.
    pub(crate) fn batches(input: &str, lines_max: usize) -> Vec<Batch> {
        let lines_max = NonZeroUsize::new(lines_max).expect("is not zero");
        let mut batches = Batches::new(input.as_bytes(), Arc::from(Path::new("test")), lines_max);
        let mut found = Vec::new();
        while let Some(batch) = batches.next(7).expect("is readable") {
            found.push(batch);
        }
        found
    }

    fn check(input: &str, expect: &[&str]) {
        let found = batches(input, 2);
        let bodies: Vec<_> =
            found.iter().map(|batch| String::from_utf8_lossy(&batch.body)).collect();
        assert_eq!(bodies, expect, "{input:?}");
    }

    #[test]
    fn lines_are_kept_whole_and_in_order() {
        check("", &[]);
        check("\n# nothing\n", &[]);
        check("a f=1 1\nb f=\"\n\n\" 2\nc f=3 3", &["a f=1 1\nb f=\"\n\n\" 2\n", "c f=3 3\n"]);
    }

    #[test]
    fn lines_without_a_time_are_stamped_before_they_are_sent() {
        check("a f=1\r\nb f=\"x y\"  \n", &["a f=1 7\nb f=\"x y\" 7\n"]);
        check("a\nb f=1 5\n", &["a\nb f=1 5\n"]);
    }

    #[test]
    fn an_open_quote_spoils_no_line_but_its_own() {
        check("a f=1 1\nb f=\"2\nc f=3 3\n", &["a f=1 1\n", "b f=\"2\n", "c f=3 3\n"]);
        check("b f=\"2\nc f=3 3\n", &["b f=\"2\n", "c f=3 3\n"]);
    }

    #[test]
    fn a_batch_knows_the_places_of_its_lines_and_falls_into_halves() {
        let batch = &batches("\na f=1\n# no\nb f=\"\n\"\nc f=3\n", 3)[0];
        let numbers: Vec<_> = (0..6).map(|nth| batch.number_of(nth)).collect();
        assert_eq!(numbers, [None, Some(2), Some(4), Some(4), Some(6), None]);
        let [front, back] = batch.halves().expect("has three lines");
        assert_eq!(
            (&front.body[..], &back.body[..]),
            (&b"a f=1 7\n"[..], &b"b f=\"\n\" 7\nc f=3 7\n"[..])
        );
        let [middle, last] = back.halves().expect("has two lines");
        assert_eq!((&last.body[..], last.number_of(1)), (&b"c f=3 7\n"[..], Some(6)));
        assert!(middle.halves().is_none());
    }
}
