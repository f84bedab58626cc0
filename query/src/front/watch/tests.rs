//! What of a query is logged.

use std::io::Write;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;
use types::effect::SeededRandomness;

use super::*;
use crate::front::fixture::Fixture;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is logged of a query that takes `took` and ends with `end`.
async fn check(took: Duration, end: Option<&Error>, expect: &[&str]) {
    let fixture = Fixture::new().await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || {
        let request_id = RequestId::new(Some("mine"), &SeededRandomness::new(1));
        let watch = Watch::start(&fixture.engine, &request_id);
        watch.about("db", "SELECT 1");
        fixture.clock.advance(took);
        if let Some(error) = end {
            watch.failed(error);
        }
    });
    let text = String::from_utf8(log.0.lock().clone()).expect("text");
    assert_eq!(text.is_empty(), expect.is_empty(), "{text}");
    for part in expect {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn a_slow_query_is_logged_with_the_name_of_its_request() {
    let expect = ["INFO", "request_id=\"mine\"", "database=\"db\"", "SELECT 1", "took=11s"];
    check(Duration::from_secs(11), None, &expect).await;
    check(Duration::from_secs(9), None, &[]).await;
}

#[tokio::test]
async fn a_fault_is_logged_and_a_mistake_of_the_client_is_not() {
    let fault = Error::Fault { reason: "it broke".to_owned() };
    let expect = ["ERROR", "request_id=\"mine\"", "it broke"];
    check(Duration::ZERO, Some(&fault), &expect).await;
    let mistake = Error::Parameter { reason: "no such thing".to_owned() };
    check(Duration::ZERO, Some(&mistake), &[]).await;
}
