//! Splits a body into lines.
//!
//! A newline inside a quoted string does not end a line. What counts as quoted follows InfluxDB:
//! quotes mean something only after the first unescaped space, where more `=` than `,` were seen,
//! and a backslash takes the next character's meaning away. A comment ends at its newline whatever
//! it contains.

/// One line as it stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawLine<'a> {
    /// Where it begins, counted from 1.
    pub(crate) number: usize,
    /// Its bytes, without the newline (or carriage return and newline) that ends it.
    pub(crate) bytes: &'a [u8],
}

/// The lines of `body` that are neither blank nor a comment.
pub(crate) fn split(body: &[u8]) -> impl Iterator<Item = RawLine<'_>> {
    let mut rest = body;
    let mut newlines = 0;
    std::iter::from_fn(move || {
        loop {
            rest = skip_blank(rest, &mut newlines);
            if rest.is_empty() {
                return None;
            }
            let end = match rest[0] {
                b'#' => end_of_comment(rest),
                _ => end_of_line(rest),
            };
            let (line, after) = rest.split_at(end);
            let number = newlines + 1;
            newlines += count_newlines(line);
            let is_comment = line[0] == b'#';
            rest = after;
            if !is_comment {
                let bytes = line.strip_suffix(b"\r").unwrap_or(line);
                return Some(RawLine { number, bytes });
            }
        }
    })
}

/// Skips what may stand before a line.
fn skip_blank<'a>(body: &'a [u8], newlines: &mut usize) -> &'a [u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let blank = body.iter().take_while(|byte| is_blank(byte)).count();
    let (skipped, rest) = body.split_at(blank);
    *newlines += count_newlines(skipped);
    rest
}

fn count_newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn end_of_comment(body: &[u8]) -> usize {
    let newline = body.iter().position(|byte| *byte == b'\n');
    newline.unwrap_or(body.len())
}

/// Where the line at the start of `body` ends.
fn end_of_line(body: &[u8]) -> usize {
    let mut escaped = false;
    let mut in_fields = false;
    let mut quoted = false;
    let (mut equals, mut commas) = (0_usize, 0_usize);
    for (at, byte) in body.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b' ' => in_fields = true,
            b'=' if in_fields && !quoted => equals += 1,
            b',' if in_fields && !quoted => commas += 1,
            b'"' if in_fields && equals > commas => quoted = !quoted,
            b'\n' if !quoted => return at,
            _ => {}
        }
    }
    body.len()
}
