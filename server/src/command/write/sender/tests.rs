//! Which answers are tried again, and what is sent then.

use std::sync::Arc;

use types::effect::{Clock, ManualClock, SeededRandomness};

use super::*;
use crate::command::host::scripted::{Reply, Script};
use crate::command::write::batches::tests::batches;

const ONE_BAD: &str = r#"{"error":"partial write","data":[
    {"line_number":1,"original_line":"a","error_message":"no fields"}]}"#;

/// A patience that is soon at its end where the server does not say when to come back.
const NO_WAIT: Patience = Patience {
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
    in_all: Duration::from_secs(3600),
};

/// Sends `input` in one batch to a server that answers with `replies`; returns the summary or the
/// error, and the bodies that the server saw.
async fn check(
    input: &str,
    patience: Patience,
    replies: Vec<Reply>,
) -> (Result<Tally, Error>, Vec<String>) {
    let script = Script::start(replies).await;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let progress = Arc::new(Progress::new(None, &Arc::default(), &clock));
    let randomness = Arc::new(SeededRandomness::new(1));
    let sender = Sender::new(script.host(), &[("db", "a b")], patience, randomness, progress);
    let batch = batches(input, 100).remove(0);
    let sent = sender.send(batch).await;
    let requests = script.requests();
    let bodies = requests.iter().map(|request| {
        assert!(request.starts_with("POST /api/v3/write_lp?db=a+b "), "{request}");
        request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    });
    (sent, bodies.collect())
}

fn summary(sent: Result<Tally, Error>) -> String {
    sent.map(|tally| tally.summary(Duration::from_secs(1))).unwrap_or_else(|error| chain(&error))
}

#[tokio::test]
async fn what_passes_is_sent_again_byte_by_byte() {
    let replies = vec![
        Reply::new(503, r#"{"error":"replaying"}"#).header("retry-after", "0"),
        Reply::new(429, r#"{"error":"slower"}"#).header("retry-after", "0"),
        Reply::new(504, r#"{"error":"outcome unknown"}"#),
        Reply::new(500, "oops"),
        Reply::silence(),
        Reply::new(204, ""),
    ];
    let (sent, bodies) = check("a f=1\n", NO_WAIT, replies).await;
    assert_eq!(summary(sent), "1 lines kept, 0 bad, 8 B in 1.0 s: 1 rows/s, 5 retries");
    assert_eq!(bodies.len(), 6);
    assert!(bodies.iter().all(|body| body == "a f=1 7\n"), "{bodies:?}");
}

#[tokio::test]
async fn bad_lines_are_reported_and_not_sent_again() {
    let reply = Reply::new(400, ONE_BAD).header("x-forebay-position", "1");
    let (sent, bodies) = check("a\nb f=1\n", NO_WAIT, vec![reply]).await;
    assert_eq!(bodies.len(), 1);
    assert_eq!(summary(sent), "1 lines kept, 1 bad, 10 B in 1.0 s: 1 rows/s, 0 retries");
}

#[tokio::test]
async fn what_is_too_large_is_sent_in_parts_and_in_order() {
    let replies = vec![
        Reply::new(413, r#"{"error":"too large"}"#),
        Reply::new(413, r#"{"error":"too large"}"#),
        Reply::new(204, ""),
        Reply::new(204, ""),
        Reply::new(204, ""),
    ];
    let (sent, bodies) = check("a f=1 1\nb f=2 2\nc f=3 3\nd f=4 4\n", NO_WAIT, replies).await;
    assert_eq!(bodies[2..], ["a f=1 1\n", "b f=2 2\n", "c f=3 3\nd f=4 4\n"]);
    assert_eq!(summary(sent), "4 lines kept, 0 bad, 32 B in 1.0 s: 4 rows/s, 0 retries");
}

#[tokio::test]
async fn a_refused_request_ends_the_write() {
    let reply = Reply::new(401, r#"{"error":"no token"}"#);
    let (sent, bodies) = check("a f=1\n", NO_WAIT, vec![reply]).await;
    assert!(summary(sent).ends_with("refused: no token"));
    assert_eq!(bodies.len(), 1);
}

#[tokio::test]
async fn patience_ends_before_a_wait_that_it_does_not_cover() {
    let patience = Patience { in_all: Duration::from_secs(60), ..NO_WAIT };
    let reply = Reply::new(503, r#"{"error":"draining"}"#).header("retry-after", "61");
    let (sent, _) = check("a f=1\n", patience, vec![reply]).await;
    assert!(summary(sent).ends_with("has not taken it after 1 tries: draining"));
}

#[tokio::test]
async fn a_server_that_never_wants_to_be_asked_again_is_given_up() {
    let reply = Reply::new(503, r#"{"error":"draining"}"#);
    let reply = reply.header("retry-after", "18446744073709551615");
    let (sent, _) = check("a f=1\n", NO_WAIT, vec![reply]).await;
    assert!(summary(sent).ends_with("has not taken it after 1 tries: draining"));
}

#[tokio::test]
async fn no_wait_is_shorter_than_the_first_own_one() {
    let first_wait = Duration::from_secs(61);
    let patience = Patience { first_wait, in_all: Duration::from_secs(60), ..NO_WAIT };
    let reply = Reply::new(503, r#"{"error":"draining"}"#).header("retry-after", "0");
    let (sent, _) = check("a f=1\n", patience, vec![reply]).await;
    assert!(summary(sent).ends_with("has not taken it after 1 tries: draining"));
}

#[test]
fn waits_grow_to_their_limit_and_are_spread() {
    let patience = Patience::new(Duration::from_secs(300));
    let millis = |nth, chance| patience.wait(nth, chance).as_millis();
    assert_eq!((millis(0, 0), millis(0, 50)), (50, 100));
    assert_eq!((millis(1, 0), millis(1, 100)), (100, 200));
    assert_eq!((millis(60, 0), millis(60, 2500)), (2500, 5000));
    assert!(millis(60, u64::MAX) <= 5000);
}
