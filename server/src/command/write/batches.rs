//! Lines gathered into the batches that are sent.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::lines::Holds;
use super::reader::Stamped;

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

/// Gathers lines into batches.
#[derive(Debug)]
pub(super) struct Batches {
    lines: Receiver<Stamped>,
    lines_max: NonZeroUsize,
    /// How long a batch is held open for more lines.
    open_max: Duration,
    /// A line that was taken, and belongs to the next batch.
    held: Option<Stamped>,
}

impl Batches {
    /// Batches of at most so many `lines` each, none of them open for longer than `open_max` while
    /// no line comes.
    pub(super) fn new(
        lines: Receiver<Stamped>,
        lines_max: NonZeroUsize,
        open_max: Duration,
    ) -> Self {
        Self { lines, lines_max, open_max, held: None }
    }

    /// Adds lines to `open` until it is full or due, or a line comes that does not belong to it.
    #[allow(clippy::disallowed_methods, reason = "a command of the client, which nobody replays")]
    fn fill(&mut self, open: &mut Open) {
        let due = Instant::now() + self.open_max;
        while open.lines.len() < self.lines_max.get() && open.body.len() < BATCH_BYTES_MAX {
            let left = due.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { return };
            if !open.takes(&line) {
                self.held = Some(line);
                return;
            }
            open.push(&line);
        }
    }
}

impl Iterator for Batches {
    type Item = Batch;

    /// Waits for a line and those that come with it; `None` at the end.
    fn next(&mut self) -> Option<Batch> {
        let first = self.held.take().or_else(|| self.lines.recv().ok())?;
        let mut open = Open::with(&first);
        if !is_alone(&first) {
            self.fill(&mut open);
        }
        Some(open.close())
    }
}

/// An open quote would swallow the lines behind it.
fn is_alone(line: &Stamped) -> bool {
    line.line.holds == Holds::OpenQuote
}

/// A batch that lines are added to.
#[derive(Debug)]
struct Open {
    body: Vec<u8>,
    path: Arc<Path>,
    lines: Vec<Place>,
}

impl Open {
    fn with(first: &Stamped) -> Self {
        let mut open = Self { body: Vec::new(), path: Arc::clone(&first.path), lines: Vec::new() };
        open.push(first);
        open
    }

    /// A batch is of one input, so that its lines can be told by their numbers.
    fn takes(&self, line: &Stamped) -> bool {
        !is_alone(line) && Arc::ptr_eq(&self.path, &line.path)
    }

    fn push(&mut self, Stamped { line, time, .. }: &Stamped) {
        let text = line.bytes.trim_ascii_end();
        self.body.extend_from_slice(text);
        if let Some(time) = time {
            self.body.extend_from_slice(format!(" {time}").as_bytes());
        }
        self.body.push(b'\n');
        let within = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        let breaks = self.lines.last().map_or(0, |place| place.breaks) + within + 1;
        self.lines.push(Place { number: line.number, end: self.body.len(), breaks });
    }

    fn close(self) -> Batch {
        Batch { body: self.body.into(), path: self.path, lines: self.lines }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc::sync_channel;

    use types::effect::ManualClock;

    use super::super::Precision;
    use super::super::reader::{Stamps, Taken, read};
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// The batches of `input`, of `lines_max` lines, the first line without a time at the time 7.
    pub(crate) fn batches(input: &str, lines_max: usize) -> Vec<Batch> {
        let (queue, lines) = sync_channel(input.len());
        let mut stamps = Stamps::new(Arc::new(ManualClock::at(7)), Precision::Nanosecond);
        let path = Arc::from(Path::new("test"));
        let taken = read(input.as_bytes(), &path, &mut stamps, &queue).expect("is readable");
        assert_eq!(taken, Taken::All);
        drop(queue);
        let lines_max = NonZeroUsize::new(lines_max).expect("is not zero");
        Batches::new(lines, lines_max, LONG).collect()
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
        check("a f=1\r\nb f=\"x y\"  \n", &["a f=1 7\nb f=\"x y\" 8\n"]);
        check("a\nb f=1 5\n", &["a\nb f=1 5\n"]);
    }

    #[test]
    fn a_batch_does_not_wait_for_lines_that_may_never_come() {
        let (queue, lines) = sync_channel(10);
        let mut stamps = Stamps::new(Arc::new(ManualClock::at(7)), Precision::Nanosecond);
        let path = Arc::from(Path::new("-"));
        read(&b"a f=1\n"[..], &path, &mut stamps, &queue).expect("is readable");
        let mut batches = Batches::new(lines, NonZeroUsize::MAX, Duration::ZERO);
        let first = batches.next().expect("a line is there");
        assert_eq!(first.body, "a f=1 7\n");
        drop(queue);
        assert!(batches.next().is_none(), "the pipe is at its end");
    }

    #[test]
    fn a_batch_is_of_one_input() {
        let (queue, lines) = sync_channel(10);
        let mut stamps = Stamps::new(Arc::new(ManualClock::at(7)), Precision::Nanosecond);
        for path in ["one", "two"] {
            let path = Arc::from(Path::new(path));
            read(&b"a f=1 1\n"[..], &path, &mut stamps, &queue).expect("is readable");
        }
        drop(queue);
        let batches = Batches::new(lines, NonZeroUsize::MAX, LONG);
        let paths: Vec<_> = batches.map(|batch| batch.path.display().to_string()).collect();
        assert_eq!(paths, ["one", "two"]);
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
            (&b"a f=1 7\n"[..], &b"b f=\"\n\" 8\nc f=3 9\n"[..])
        );
        let [middle, last] = back.halves().expect("has two lines");
        assert_eq!((&last.body[..], last.number_of(1)), (&b"c f=3 9\n"[..], Some(6)));
        assert!(middle.halves().is_none());
    }
}
