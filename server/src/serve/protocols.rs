//! Speaks HTTP/1.1 and HTTP/2 on each connection, and gives up on peers that do not go on.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{oneshot, watch};

use super::connections::{Connection, LimitedListener};

/// A connection without a whole request head for so long is closed, idle ones among them. Clients
/// put idle connections away after 90 s, most of them; that must come first, so that none sends a
/// request into a connection that is just being closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a peer that speaks HTTP/2 is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long it has to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// What a connection has sent and nobody has asked for yet is in no reservation, so it must be
/// little: of HTTP/1.1 so much, which is also the longest head of a request.
const READ_AHEAD_BYTES: usize = 64 << 10;
/// Of a request over HTTP/2 so much: at a round trip of a millisecond that is 256 MB/s.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Of all requests of a connection over HTTP/2 together.
const CONNECTION_WINDOW_BYTES: u32 = 512 << 10;

/// Serves what `listener` accepts until `stop` is sent or dropped; then accepts no more, and
/// returns when the requests that had begun are answered.
pub(super) async fn serve(
    mut listener: LimitedListener,
    routes: Router,
    mut stop: oneshot::Receiver<()>,
) {
    // Each connection holds a receiver as long as it lives.
    let (ending, _) = watch::channel(());
    loop {
        let connection = tokio::select! {
            connection = listener.accept(HEAD_TIMEOUT) => connection,
            _ = &mut stop => break,
        };
        tokio::spawn(serve_one(connection, routes.clone(), ending.subscribe()));
    }
    drop(listener);
    ending.send_replace(());
    ending.closed().await;
}

async fn serve_one(connection: Connection, routes: Router, mut ending: watch::Receiver<()>) {
    let protocols = protocols();
    let service = TowerToHyperService::new(routes);
    let mut serving = pin!(protocols.serve_connection(TokioIo::new(connection), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = ending.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

fn protocols() -> Builder<TokioExecutor> {
    let mut protocols = Builder::new(TokioExecutor::new());
    protocols
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(READ_AHEAD_BYTES);
    protocols
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    protocols
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;

    use super::*;

    /// A server of one connection at a time; it stops when the sender is dropped.
    async fn start() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let routes = Router::new().route("/", get(|| async { "here" }));
        let (stop, stopped) = oneshot::channel();
        let listener = LimitedListener::new(listener, 1);
        (address, stop, tokio::spawn(serve(listener, routes, stopped)))
    }

    /// Sends `text` and returns all that comes until the server closes the connection.
    async fn answer_to(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("is listening");
        stream.write_all(text.as_bytes()).await.expect("is open");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("is closed in order");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_go_on_makes_room_for_others() {
        let (address, _stop, _serving) = start().await;
        for beginning in ["", "PRI * HT", "P", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            assert_eq!(answer_to(address, beginning).await, "", "{beginning:?}");
        }
        let answer = answer_to(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let (address, stop, serving) = start().await;
        let mut stream = TcpStream::connect(address).await.expect("is listening");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("is open");
        let mut first = [0; 8];
        stream.read_exact(&mut first).await.expect("an answer");
        drop(stop);
        serving.await.expect("ends");
        stream.read_to_end(&mut Vec::new()).await.expect("is closed in order");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
