//! What is left of a request's body when its answer is known.
//!
//! A connection that is closed while bytes from its client are not read yet is reset, and the reset
//! may overtake the answer: who sends a large body would not hear that it is refused, nor when to come
//! back. So the rest is read beside the answer and thrown away, a chunk at a time.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::Version;
use http::header::EXPECT;
use tokio::runtime::Handle;

use crate::body::Chunks;

/// Answers a request; what of its body nobody has read is read then, twice `limit` bytes at most.
pub(super) async fn read_beside_answer(
    State(limit): State<u64>,
    request: Request,
    next: Next,
) -> Response {
    // HTTP/2 ends a stream without its connection, and who expects to be told to go on has sent
    // nothing yet.
    let is_told = request.version() >= Version::HTTP_2 || request.headers().contains_key(EXPECT);
    if is_told || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let wrap = |body: Body| {
        let stream = Some(body.into_data_stream());
        Body::from_stream(ReadToTheEnd { stream, limit })
    };
    next.run(request.map(wrap)).await
}

/// A body whose rest is read when it is dropped.
struct ReadToTheEnd {
    /// None at its end.
    stream: Option<BodyDataStream>,
    limit: u64,
}

impl Stream for ReadToTheEnd {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let polled = stream.poll_next_unpin(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.stream = None;
        }
        polled
    }
}

impl Drop for ReadToTheEnd {
    fn drop(&mut self) {
        if let Some(rest) = self.stream.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(discard(rest, self.limit));
        }
    }
}

/// Reads for as long as a body may take.
async fn discard(rest: BodyDataStream, limit: u64) {
    let mut chunks = Chunks::of(rest, limit);
    let mut left = limit.saturating_mul(2);
    while let Ok(Some(chunk)) = chunks.next().await {
        match left.checked_sub(chunk.len() as u64) {
            Some(less) => left = less,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const BODY_BYTES: usize = 4 << 20;

    /// Answers whatever comes without a look at its body.
    async fn serve() -> TcpStream {
        let refuse = || async { http::StatusCode::SERVICE_UNAVAILABLE };
        let layer = axum::middleware::from_fn_with_state(BODY_BYTES as u64, read_beside_answer);
        let routes = axum::Router::new().fallback(refuse).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        TcpStream::connect(address).await.expect("it listens")
    }

    async fn expect_503(client: &mut TcpStream) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(client.read_u8().await.expect("an answer, and no reset"));
        }
        let answer = String::from_utf8(answer).expect("is text");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }

    /// More than stands in the buffers of a connection, so that it would be closed over the rest.
    #[tokio::test]
    async fn who_is_refused_before_all_is_sent_hears_of_it_and_may_ask_again() {
        let mut client = serve().await;
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
        let body = vec![b'x'; BODY_BYTES];
        for _ in 0..2 {
            client.write_all(head.as_bytes()).await.expect("the connection is there");
            client.write_all(&body[..1_000]).await.expect("the connection is there");
            expect_503(&mut client).await;
            client.write_all(&body[1_000..]).await.expect("the rest is read");
        }
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_read_no_further_than_twice_the_limit() {
        let mut client = serve().await;
        let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n";
        client.write_all(head).await.expect("the connection is there");
        expect_503(&mut client).await;
        let body = vec![b'x'; BODY_BYTES];
        while client.write_all(&body).await.is_ok() {}
    }
}
