//! Where each line of line protocol ends, and whether it has a time.
//!
//! A line may hold line breaks: within the quotes of a string value, and behind a backslash. Quotes
//! mean something only among the fields, where more `=` than `,` were seen. That is the rule of the
//! server, which splits the body of a request once more: both have to see the same lines.
//!
//! ```text
//!   measurement,tag=value field=1i,text="two\nlines" 1357020000
//!   └─────── Key ───────┘ └──────── Fields ────────┘ └─ Time ─┘
//! ```
//!
//! What is wrong with a line otherwise is for the server to say.

use std::io::{self, BufRead, Read};

/// Longest line, the server's default limit. A quote that is open for longer was never meant to be
/// closed: the line is taken to end where it looks like it, so that it does not swallow the file.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// One line, with the line break that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Its number in the input, from 1, counting each line break.
    pub(crate) number: u64,
    /// What it holds.
    pub(crate) holds: Holds,
}

/// What a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// No point: blank, or a comment.
    Nothing,
    /// A point with a time.
    Timed,
    /// A point without one.
    Untimed,
    /// Something that will be refused; nothing is added to it.
    Malformed,
    /// A quote that is never closed: within a request it would swallow the lines behind it.
    OpenQuote,
}

/// Reads lines.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    /// Bytes that were read beyond the line they turned out not to belong to.
    ahead: io::Cursor<Vec<u8>>,
    input: R,
    /// The number of the next line.
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads the lines of `input`.
    pub(crate) fn new(input: R) -> Self {
        Self { ahead: io::Cursor::default(), input, number: 1 }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the input says; `InvalidData` for more than [`LINE_BYTES_MAX`] bytes without a line
    /// break.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut scan = Scan::default();
        loop {
            let from = bytes.len();
            let ended = self.read_break(&mut bytes)?;
            scan.read(&bytes[from..]);
            if bytes.is_empty() {
                return Ok(None);
            }
            if scan.is_over() {
                return Ok(Some(self.line(bytes, scan.holds())));
            }
            if ended || bytes.len() > LINE_BYTES_MAX {
                return Ok(Some(self.cut_at_first_break(bytes, scan)));
            }
        }
    }

    /// Reads up to and including the next line break; true at the end of the input.
    fn read_break(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let from = bytes.len();
        self.ahead.read_until(b'\n', bytes)?;
        if bytes.len() > from && bytes.last() == Some(&b'\n') {
            return Ok(false);
        }
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = Read::take(&mut self.input, limit).read_until(b'\n', bytes)?;
        if bytes.last() == Some(&b'\n') && read > 0 {
            return Ok(false);
        }
        if read as u64 == limit {
            let why = format!("more than {LINE_BYTES_MAX} bytes without a line break");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(true)
    }

    /// The input or the patience with an open quote is at its end: if there are more lines than
    /// one, all but the first are read again.
    fn cut_at_first_break(&mut self, mut bytes: Vec<u8>, scan: Scan) -> Line {
        let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
            return self.line(bytes, scan.holds());
        };
        let mut again = bytes.split_off(at + 1);
        if again.is_empty() {
            return self.line(bytes, scan.holds());
        }
        let position = usize::try_from(self.ahead.position()).unwrap_or(usize::MAX);
        again.extend(self.ahead.get_ref().iter().skip(position));
        self.ahead = io::Cursor::new(again);
        self.line(bytes, scan.holds())
    }

    fn line(&mut self, bytes: Vec<u8>, holds: Holds) -> Line {
        let number = self.number;
        self.number += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        Line { bytes, number, holds }
    }
}

/// The parts of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Start,
    Comment,
    Key,
    Fields,
    Time,
}

/// How far a line was read.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    part: Part,
    /// The byte before was a backslash that takes the meaning from the next.
    escaped: bool,
    quoted: bool,
    /// Unquoted `=` and `,` among the fields: one `=` more is the place of a value.
    equals: usize,
    commas: usize,
    /// Some byte of this part is not a space.
    begun: bool,
    over: bool,
}

impl Scan {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match (self.part, byte) {
            (_, b'\n') if !self.quoted => self.over = true,
            (Part::Comment, _) => {}
            (Part::Start, byte) if byte.is_ascii_whitespace() => {}
            (Part::Start, b'#') => self.part = Part::Comment,
            (Part::Start, byte) => (self.part, self.escaped) = (Part::Key, byte == b'\\'),
            (Part::Key, b' ') => (self.part, self.begun) = (Part::Fields, false),
            (_, b'\\') => (self.escaped, self.begun) = (true, true),
            (Part::Key, _) => {}
            (Part::Fields | Part::Time, byte) => self.step_field(byte),
        }
    }

    fn step_field(&mut self, byte: u8) {
        match byte {
            b'"' if self.equals > self.commas => self.quoted = !self.quoted,
            _ if self.quoted => {}
            b'=' => self.equals += 1,
            b',' => self.commas += 1,
            b' ' if self.part == Part::Fields && self.begun => {
                (self.part, self.begun) = (Part::Time, false);
            }
            _ => {}
        }
        self.begun |= !byte.is_ascii_whitespace();
    }

    /// True behind the line break that ends the line.
    const fn is_over(&self) -> bool {
        self.over
    }

    const fn holds(&self) -> Holds {
        match self.part {
            _ if self.quoted => Holds::OpenQuote,
            Part::Start | Part::Comment => Holds::Nothing,
            Part::Time if self.begun => Holds::Timed,
            Part::Time => Holds::Untimed,
            Part::Fields if self.begun && !self.escaped => Holds::Untimed,
            Part::Key | Part::Fields => Holds::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: &[(&str, u64, Holds)]) {
        let mut lines = Lines::new(input.as_bytes());
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("is readable") {
            let text = String::from_utf8(line.bytes).expect("is text");
            found.push((text, line.number, line.holds));
        }
        let found: Vec<_> = found.iter().map(|(text, at, holds)| (&**text, *at, *holds)).collect();
        assert_eq!(found, expect, "{input:?}");
    }

    #[test]
    fn a_line_ends_at_its_line_break() {
        check("", &[]);
        check("m f=1 5", &[("m f=1 5", 1, Holds::Timed)]);
        check(
            "m,t=a f=1i 5\r\n\n# say f=\"\nm f=1\n",
            &[
                ("m,t=a f=1i 5\r\n", 1, Holds::Timed),
                ("\n", 2, Holds::Nothing),
                ("# say f=\"\n", 3, Holds::Nothing),
                ("m f=1\n", 4, Holds::Untimed),
            ],
        );
    }

    #[test]
    fn a_line_break_within_quotes_belongs_to_the_text() {
        check(
            "m f=\"two\nlines\" 5\nm f=2 6\n",
            &[("m f=\"two\nlines\" 5\n", 1, Holds::Timed), ("m f=2 6\n", 3, Holds::Timed)],
        );
        check(
            "m a=\"x, y=\\\"\n\",b=\"\"\nm f=2\n",
            &[("m a=\"x, y=\\\"\n\",b=\"\"\n", 1, Holds::Untimed), ("m f=2\n", 3, Holds::Untimed)],
        );
    }

    #[test]
    fn a_quote_outside_a_value_is_a_byte_like_others() {
        check(
            "m\",t=\"a f\"=1,\"g=2 5\nm f=1 5\n",
            &[("m\",t=\"a f\"=1,\"g=2 5\n", 1, Holds::Timed), ("m f=1 5\n", 2, Holds::Timed)],
        );
    }

    #[test]
    fn escaped_spaces_do_not_part_a_line() {
        check("m\\ x,t=a\\ b f=1\n", &[("m\\ x,t=a\\ b f=1\n", 1, Holds::Untimed)]);
        check("m  f=1  \n", &[("m  f=1  \n", 1, Holds::Untimed)]);
        check("\\ m f=1 5\n", &[("\\ m f=1 5\n", 1, Holds::Timed)]);
        check("m f\\=\"=1 5\n", &[("m f\\=\"=1 5\n", 1, Holds::Timed)]);
    }

    #[test]
    fn a_line_without_fields_is_left_alone() {
        check("m\nm \n", &[("m\n", 1, Holds::Malformed), ("m \n", 2, Holds::Malformed)]);
    }

    #[test]
    fn a_quote_that_stays_open_does_not_swallow_the_file() {
        check(
            "m f=\"oops 5\nm f=1 5\nm f=2\n",
            &[
                ("m f=\"oops 5\n", 1, Holds::OpenQuote),
                ("m f=1 5\n", 2, Holds::Timed),
                ("m f=2\n", 3, Holds::Untimed),
            ],
        );
        let rest = "m f=1 5\n".repeat(LINE_BYTES_MAX / 4);
        let text = format!("m f=\"oops 5\n{rest}");
        let mut lines = Lines::new(text.as_bytes());
        let first = lines.next().expect("is readable").expect("a line");
        assert_eq!((first.bytes.len(), first.holds), (12, Holds::OpenQuote));
        let mut count = 0;
        while let Some(line) = lines.next().expect("is readable") {
            count += 1;
            assert_eq!((line.number, line.holds), (count + 1, Holds::Timed));
        }
        assert_eq!(count, LINE_BYTES_MAX as u64 / 4);
    }

    #[test]
    fn bytes_without_a_line_break_are_no_line_protocol() {
        let zeros = vec![0; LINE_BYTES_MAX + 1];
        let error = Lines::new(&*zeros).next().expect_err("is no text");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
