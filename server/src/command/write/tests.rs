//! From files to requests.

use super::*;
use crate::command::host::scripted::{Reply, Script};

async fn check(files: &[&str], replies: Vec<Reply>) -> (Result<(), Error>, Tally, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut paths = Vec::new();
    for (at, text) in files.iter().enumerate() {
        let path = dir.path().join(at.to_string());
        std::fs::write(&path, text).expect("is written");
        paths.push(path);
    }
    let script = Script::start(replies).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let progress = Arc::new(Progress::new(None, &Arc::default(), &clock));
    let patience = Patience::new(Duration::ZERO);
    let randomness = Arc::new(OsRandomness);
    let sender =
        Sender::new(script.host(), &[("db", "d")], patience, randomness, Arc::clone(&progress));
    let sending = sending(&paths, 2, clock);
    let mut tally = Tally::default();
    let sent = send_all(sending, &sender, &progress, &mut tally).await;
    let requests = script.requests();
    let bodies = requests.iter().map(|request| {
        request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    });
    (sent, tally, bodies.collect())
}

/// Batches of at most `lines_max` lines, one after the other.
fn sending(paths: &[PathBuf], lines_max: usize, clock: Arc<dyn Clock>) -> Sending {
    let reader = Reader {
        inputs: Input::open(paths).expect("are there"),
        read: Arc::default(),
        stamps: Stamps::new(clock, Precision::Second),
    };
    let lines_max = NonZeroUsize::new(lines_max).expect("is not zero");
    Sending { reader, lines_max, concurrency: NonZeroUsize::MIN }
}

fn kept() -> Reply {
    Reply::new(204, "")
}

#[tokio::test]
async fn all_lines_of_all_files_are_sent() {
    let files = ["a f=1 1\nb f=2 2\nc f=3 3\n", "d f=4 4\n"];
    let (sent, tally, bodies) = check(&files, vec![kept(), kept(), kept()]).await;
    assert!(sent.is_ok() && tally.is_complete(), "{sent:?}");
    assert_eq!(bodies, ["a f=1 1\nb f=2 2\n", "c f=3 3\n", "d f=4 4\n"]);
    assert_eq!(tally.kept(), 4);
}

#[tokio::test]
async fn what_was_kept_before_an_error_is_counted() {
    let refusal = Reply::new(403, r#"{"error":"no"}"#);
    let (sent, tally, _) = check(&["a f=1 1\nb f=2 2\nc f=3 3\n"], vec![kept(), refusal]).await;
    assert!(sent.expect_err("was refused").to_string().ends_with("refused: no"));
    assert_eq!(tally.kept(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_gzip_behind_its_first_two_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("broken.gz");
    std::fs::write(&path, b"\x1f\x8bnonsense, and then some more of it").expect("is written");
    let script = Script::start(Vec::new()).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let progress = Arc::new(Progress::new(None, &Arc::default(), &clock));
    let randomness = Arc::new(OsRandomness);
    let patience = Patience::new(Duration::ZERO);
    let sender = Sender::new(script.host(), &[], patience, randomness, Arc::clone(&progress));
    let sending = sending(&[path], 1, clock);
    let sent = send_all(sending, &sender, &progress, &mut Tally::default()).await;
    let text = sent.expect_err("is broken").to_string();
    assert!(text.starts_with("cannot read ") && text.ends_with("broken.gz"), "{text}");
}

#[test]
fn the_clock_is_counted_in_the_precision_of_the_lines() {
    const NOW_NS: i64 = 1_357_020_000_123_456_789;
    let counted = |precision: Precision| precision.count(NOW_NS);
    assert_eq!(counted(Precision::Auto), NOW_NS);
    assert_eq!(counted(Precision::Nanosecond), NOW_NS);
    assert_eq!(counted(Precision::Microsecond), 1_357_020_000_123_456);
    assert_eq!(counted(Precision::Millisecond), 1_357_020_000_123);
    assert_eq!(counted(Precision::Second), 1_357_020_000);
}
