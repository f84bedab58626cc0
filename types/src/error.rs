//! What a caller has to do about an error, whatever crate it comes from.

use std::error::Error;

/// Each crate's error says one of these with `kind()`; the edge maps them to status codes in one
/// table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong: change it; sent again as it is, it fails again. Nothing was kept.
    Rejected,
    /// This node has no room or is not ready: send the same again later. Nothing was kept.
    Busy,
    /// It may or may not have happened: a repetition is safe, an assumption is not.
    Unknown,
    /// Somebody else is the owner now: stop writing.
    Fenced,
    /// Stored bytes are not what was written: stop, and let a person look at the file named.
    Corrupt,
    /// This process cannot go on; what it acknowledged is safe on disk.
    Fatal,
}

/// The error and its causes in one text, from the outermost to the first. A cause that its error
/// repeats is told once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
