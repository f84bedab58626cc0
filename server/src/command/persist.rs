//! `forebay persist`: waits until all that was acknowledged is in Parquet files.

use std::time::Duration;

use clap::Args;
use router::proto::PersistRequest;
use router::proto::persist_service_client::PersistServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code as GrpcCode, Request, Status};
use url::Url;

use crate::cli::parse_duration;
use crate::command::host::HostFlags;
use crate::error::Error;
use crate::exit::Code;

/// The server is given so much longer than the timeout to say what is left.
const GRACE: Duration = Duration::from_secs(5);

/// Flags of `forebay persist`.
#[derive(Debug, Args)]
pub(crate) struct PersistFlags {
    /// The database
    #[arg(short, long, value_name = "NAME")]
    database: String,

    /// One table of it [default: all]
    #[arg(short, long, value_name = "NAME")]
    table: Option<String>,

    /// How long to wait; then what is left is named, and goes on being persisted
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "300s")]
    timeout: Duration,

    #[command(flatten)]
    host: HostFlags,
}

/// Runs the command.
pub(crate) async fn run(flags: PersistFlags) -> Result<Code, Error> {
    let host = &flags.host.host;
    let mut client =
        PersistServiceClient::new(connect(host, flags.timeout.saturating_add(GRACE)).await?);
    let request = PersistRequest {
        database: flags.database,
        table: flags.table,
        timeout: flags.timeout.try_into().ok(),
    };
    match client.persist(Request::new(request)).await {
        Ok(_) => Ok(Code::Success),
        Err(status) => Err(refusal(host, status)),
    }
}

async fn connect(host: &Url, timeout: Duration) -> Result<Channel, Error> {
    let lost = |source| Error::Connection { host: host.to_string(), source: Box::new(source) };
    let endpoint = Endpoint::from_shared(host.to_string()).map_err(lost)?;
    endpoint.timeout(timeout).connect().await.map_err(lost)
}

fn refusal(host: &Url, status: Status) -> Error {
    let (host, message) = (host.to_string(), status.message().to_owned());
    match status.code() {
        GrpcCode::Unavailable if std::error::Error::source(&status).is_none() => {
            Error::NotReady { host, message }
        }
        GrpcCode::Unavailable => Error::Connection { host, source: Box::new(status) },
        _ => Error::Refused { host, message },
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use router::proto::PersistResponse;
    use router::proto::persist_service_server::{PersistService, PersistServiceServer};
    use std::sync::Arc;
    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::Response;
    use tonic::transport::Server;

    use super::*;

    /// Gives one answer and remembers what it was asked.
    struct Scripted {
        answer: Result<(), Status>,
        seen: Arc<Mutex<Vec<PersistRequest>>>,
    }

    #[tonic::async_trait]
    impl PersistService for Scripted {
        async fn persist(
            &self,
            request: Request<PersistRequest>,
        ) -> Result<Response<PersistResponse>, Status> {
            self.seen.lock().push(request.into_inner());
            self.answer.clone().map(|()| Response::new(PersistResponse {}))
        }
    }

    async fn check(answer: Result<(), Status>) -> (Result<Code, Error>, Vec<PersistRequest>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = PersistServiceServer::new(Scripted { answer, seen: Arc::clone(&seen) });
        let serving = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(serving);
        let flags = PersistFlags {
            database: "nyc".to_owned(),
            table: Some("flights".to_owned()),
            timeout: Duration::from_secs(7),
            host: HostFlags { host: Url::parse(&format!("http://{address}")).expect("is a URL") },
        };
        let ended = run(flags).await;
        server.abort();
        let seen = seen.lock().clone();
        (ended, seen)
    }

    #[tokio::test]
    async fn the_server_is_asked_once_with_all_that_was_said() {
        let (ended, seen) = check(Ok(())).await;
        assert_eq!(ended.expect("is done"), Code::Success);
        let [request] = &seen[..] else { panic!("one request: {seen:?}") };
        assert_eq!((&*request.database, request.table.as_deref()), ("nyc", Some("flights")));
        assert_eq!(request.timeout.as_ref().map(|timeout| timeout.seconds), Some(7));
    }

    #[tokio::test]
    async fn what_is_left_at_the_timeout_is_told_and_is_a_failure() {
        let (ended, _) = check(Err(Status::deadline_exceeded("left are 2013-01-01"))).await;
        let error = ended.expect_err("is not done");
        assert!(error.to_string().ends_with("left are 2013-01-01"), "{error}");
        assert_eq!(error.code(), Code::Failure);
    }

    #[tokio::test]
    async fn a_server_that_is_not_ready_is_to_be_tried_again() {
        let (ended, _) = check(Err(Status::unavailable("replaying"))).await;
        assert_eq!(ended.expect_err("is not done").code(), Code::TryAgain);
    }
}
