//! What a caller has to do about an error, whatever crate it comes from.

use std::any::Any;
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

/// What a caught panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let formatted = panic.downcast_ref::<String>().map(String::as_str);
    formatted.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_panic_tells_its_text_if_it_has_one() {
        let number = 7;
        let check = |panicked: std::thread::Result<()>, said: &str| {
            let panic = panicked.expect_err("it panics");
            assert_eq!(panic_text(panic.as_ref()), said);
        };
        check(catch_unwind(|| panic!("literal")), "literal");
        check(catch_unwind(|| panic!("number {number}")), "number 7");
        check(catch_unwind(|| std::panic::panic_any(number)), "no message");
    }
}
