//! What a server's answer to a batch means for who sent it.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::command::host::{Refusal, RefusedLine};

/// The header with the place of what was kept; only an answer that kept something carries it.
const POSITION: &str = "x-forebay-position";

/// An answer, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A repetition would change nothing.
    Settled(Settlement),
    /// Nothing of it was kept, or nobody knows: the same bytes are to be sent again.
    Again {
        /// When, if the server says so.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    /// All lines are kept.
    Kept,
    /// Some lines are bad.
    BadLines(BadLines),
    /// It is more than one request may be.
    TooLarge {
        /// What the server says.
        message: String,
    },
    /// The request is wrong, whatever its lines are.
    Refused {
        /// What the server says.
        message: String,
    },
}

/// The lines of a batch that are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadLines {
    /// Those that the server tells.
    pub(super) told: Vec<RefusedLine>,
    /// How many there are.
    pub(super) count: u64,
    /// Whether the other lines are durable.
    pub(super) others_kept: bool,
}

impl Answer {
    /// Understands an answer.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        if status == StatusCode::NO_CONTENT {
            return Self::Settled(Settlement::Kept);
        }
        if status.is_success() {
            // Some other server's page; nothing was written by asking for it.
            let message =
                format!("it answers {status}: not a write endpoint of Forebay or InfluxDB");
            return Self::Settled(Settlement::Refused { message });
        }
        let refusal = Refusal::read(body);
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Self::Again { after: retry_after(headers), reason: refusal.message }
            }
            _ if status.is_server_error() => {
                Self::Again { after: retry_after(headers), reason: refusal.message }
            }
            _ => Self::Settled(settlement(status, headers, refusal)),
        }
    }
}

fn settlement(status: StatusCode, headers: &HeaderMap, refusal: Refusal) -> Settlement {
    let Refusal { message, lines } = refusal;
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if !lines.is_empty() => {
            Settlement::BadLines(BadLines {
                count: count(&message).unwrap_or(lines.len() as u64),
                told: lines,
                others_kept: headers.contains_key(POSITION),
            })
        }
        StatusCode::PAYLOAD_TOO_LARGE => Settlement::TooLarge { message },
        _ => Settlement::Refused { message },
    }
}

/// How many lines are bad: the server lists only the first of them, and counts all in its sentence,
/// "partial write: 150 of 10000 lines were not kept".
fn count(message: &str) -> Option<u64> {
    let (_, after) = message.split_once("partial write: ")?;
    after.split_once(" of ")?.0.parse().ok()
}

/// The header's whole seconds; its other form, a date, is left to our own patience.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const ONE_BAD: &str = r#"{"error":"partial write","data":[
        {"line_number":1,"original_line":"x","error_message":"no fields"}]}"#;

    fn answer(status: u16, header: Option<(&'static str, &'static str)>, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        Answer::of(status, &headers, body.as_bytes())
    }

    fn check_again(status: u16, header: Option<(&'static str, &'static str)>, expect: Option<u64>) {
        let after = expect.map(Duration::from_secs);
        let expect = Answer::Again { after, reason: "so".to_owned() };
        assert_eq!(answer(status, header, r#"{"error":"so"}"#), expect, "{status}");
    }

    #[test]
    fn what_passes_is_tried_again() {
        check_again(503, Some(("retry-after", "7")), Some(7));
        check_again(429, Some(("retry-after", "1")), Some(1));
        check_again(503, Some(("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")), None);
        for status in [408, 500, 502, 504] {
            check_again(status, None, None);
        }
    }

    #[test]
    fn bad_lines_are_not_tried_again() {
        for status in [400, 422] {
            for (header, kept) in [(None, false), (Some((POSITION, "1")), true)] {
                let Answer::Settled(Settlement::BadLines(bad)) = answer(status, header, ONE_BAD)
                else {
                    panic!("{status} with a list of lines");
                };
                assert_eq!((bad.told.len(), bad.count, bad.others_kept), (1, 1, kept), "{status}");
            }
        }
    }

    #[test]
    fn bad_lines_beyond_those_listed_are_counted() {
        assert_eq!(count("partial write: 150 of 10000 lines were not kept; the first"), Some(150));
        assert_eq!(count("partial write: none of 3 lines was kept"), None);
        assert_eq!(count("no"), None);
    }

    #[test]
    fn a_wrong_request_is_told_from_wrong_lines() {
        let message = || "no".to_owned();
        let refused = Answer::Settled(Settlement::Refused { message: message() });
        for status in [400, 401, 403, 404, 422] {
            assert_eq!(answer(status, None, "no"), refused, "{status}");
        }
        let too_large = Answer::Settled(Settlement::TooLarge { message: message() });
        assert_eq!(answer(413, None, "no"), too_large);
        assert_eq!(answer(204, None, ""), Answer::Settled(Settlement::Kept));
    }

    #[test]
    fn success_that_keeps_nothing_is_no_success() {
        for status in [200, 201, 202, 206] {
            let Answer::Settled(Settlement::Refused { message }) = answer(status, None, "hello")
            else {
                panic!("{status} is taken for more than it is");
            };
            assert!(message.contains("not a write endpoint"), "{message}");
        }
    }
}
