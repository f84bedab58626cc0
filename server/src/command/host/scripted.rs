//! A server for tests that gives the answers it was told to, one a request, in order.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::{Host, HostFlags};

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    /// Bytes that are promised and never sent.
    missing: usize,
    /// No answer at all: the connection is closed.
    silent: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &'static str) -> Self {
        Self { status, headers: Vec::new(), body, missing: 0, silent: false }
    }

    pub(crate) fn ok(body: &'static str) -> Self {
        Self::new(200, body)
    }

    /// The connection is lost after the request was read.
    pub(crate) fn silence() -> Self {
        Self { silent: true, ..Self::new(0, "") }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The body ends before its length is reached.
    pub(crate) fn cut_off(mut self) -> Self {
        self.missing = 1;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len() + self.missing;
        if self.status != 204 {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        format!("{head}\r\n{}", self.body).into_bytes()
    }
}

/// The running server; it ends with its script.
#[derive(Debug)]
pub(crate) struct Script {
    url: Url,
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Script {
    /// Listens on a free port. A request beyond the script finds nobody.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(play(listener, replies, Arc::clone(&seen)));
        let url = Url::parse(&format!("http://{address}")).expect("is a URL");
        Self { url, seen, task }
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(&HostFlags { host: self.url.clone() }).expect("is a host")
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn play(listener: TcpListener, replies: Vec<Reply>, seen: Arc<Mutex<Vec<String>>>) {
    for reply in replies {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let request = read_request(&mut stream).await;
        seen.lock().push(request);
        if !reply.silent {
            stream.write_all(&reply.bytes()).await.expect("the client listens");
            stream.shutdown().await.expect("the client listens");
        }
    }
}

/// One request with its body, whose length the head has to say.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut part = [0; 4096];
        let len = stream.read(&mut part).await.expect("a request");
        text.push_str(std::str::from_utf8(&part[..len]).expect("is text"));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            });
            if len == 0 || body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(len > 0, "the request ended early");
    }
}
