//! Logs to standard error, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

/// Reads a filter such as `info` or `warn,wal=debug`; the text says what is wrong with it.
pub(crate) fn check_filter(filter: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends what is logged from now on to standard error. `filter` was
/// [checked](check_filter) before.
pub(crate) fn start(filter: &str, format: LogFormat) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::builder().parse_lossy(filter));
    match format {
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use parking_lot::Mutex;
    use tower::ServiceExt;

    use super::*;
    use crate::effect::OsRandomness;

    /// Bytes that whoever reads the log sees too.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_error_has_the_id_of_its_request_at_any_filter() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_env_filter("error")
            .finish();
        let failing = get(|| async {
            tracing::error!("it failed");
        });
        let routes = Router::new().route("/", failing);
        let routes = router::with_request_ids(routes, Arc::new(OsRandomness));
        let request = Request::get("/").header(router::REQUEST_ID_HEADER, "one-of-many");
        let request = request.body(Body::empty()).expect("is a request");
        let logging = tracing::subscriber::set_default(subscriber);
        assert!(routes.oneshot(request).await.expect("answers").status().is_success());
        drop(logging);
        let text = String::from_utf8_lossy(&log.0.lock()).into_owned();
        assert!(text.contains("it failed") && text.contains("one-of-many"), "{text}");
    }

    #[test]
    fn a_filter_is_checked_before_it_is_used() {
        assert!(check_filter("warn,wal=debug").is_ok());
        assert!(check_filter("wal=loud").is_err());
    }
}
