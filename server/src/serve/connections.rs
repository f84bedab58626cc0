//! The listener: accepts connections up to a limit, and lets the others wait in the kernel's queue.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// A silent connection is asked by the kernel whether its peer is still there.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// How often it asks until it has an answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// What every connection of HTTP/2 begins with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Accepts at most so many connections at a time.
#[derive(Debug)]
pub(super) struct LimitedListener {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl LimitedListener {
    pub(super) fn new(listener: TcpListener, connections_max: usize) -> Self {
        let permits = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Self { listener, permits }
    }

    /// The next connection, which has `opening` to show which protocol it speaks.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost if the future is dropped.
    pub(super) async fn accept(&mut self, opening: Duration) -> Connection {
        // The semaphore is never closed, so there is a permit sooner or later.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (stream, _) = Listener::accept(&mut self.listener).await;
        if let Err(error) = tune(&stream) {
            tracing::debug!(%error, "cannot tune a connection");
        }
        Connection { stream, opening: Some(Opening::new(opening)), _permit: permit }
    }
}

/// An answer is small and complete: it must not wait for the next one to fill a packet. A peer
/// that has vanished must not hold its connection for ever.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// A connection that counts as long as it lives.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// What it has to do first.
    opening: Option<Opening>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// A connection before it is known which protocol it speaks. From then on the protocol has its own
/// time limits; until then nobody else would have one.
#[derive(Debug)]
struct Opening {
    timer: Pin<Box<Sleep>>,
    /// Bytes so far, all of them those of the preface.
    matched: usize,
}

impl Opening {
    fn new(time: Duration) -> Self {
        Self { timer: Box::pin(sleep(time)), matched: 0 }
    }

    /// Takes note of `bytes`, or of the end if there are none; true if the protocol is known.
    fn is_over(&mut self, bytes: &[u8]) -> bool {
        let rest = &HTTP2_PREFACE[self.matched..];
        self.matched += bytes.len();
        bytes.is_empty() || bytes.len() >= rest.len() || !rest.starts_with(bytes)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = bytes.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, bytes);
        let Some(opening) = &mut self.opening else {
            return read;
        };
        match read {
            Poll::Ready(_) => {
                if opening.is_over(&bytes.filled()[before..]) {
                    self.opening = None;
                }
                read
            }
            Poll::Pending => {
                let over = opening.timer.as_mut().poll(context);
                over.map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reads: &[&str], expect: &[bool]) {
        let mut opening = Opening::new(Duration::ZERO);
        let over: Vec<bool> = reads.iter().map(|bytes| opening.is_over(bytes.as_bytes())).collect();
        assert_eq!(over, expect, "{reads:?}");
    }

    #[tokio::test]
    async fn a_protocol_is_known_by_its_first_bytes() {
        check(&["GET / HTTP/1.1"], &[true]);
        check(&["P", "OST"], &[false, true]);
        check(&["PRI * HTTP/2.0\r\n", "\r\nSM\r\n", "\r\n"], &[false, false, true]);
        check(&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"], &[true]);
        check(&["PRI", ""], &[false, true]);
    }
}
