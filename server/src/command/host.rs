//! The server that a client command speaks to, and how its refusals are read.

#[cfg(test)]
pub(crate) mod scripted;

use std::time::Duration;

use clap::Args;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::error::Error;

/// How long a client waits for a connection before it takes the server for unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which server to speak to.
#[derive(Clone, Debug, Args)]
pub(crate) struct HostFlags {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8181", value_parser = parse)]
    pub(crate) host: Url,
}

fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" if url.has_host() => Ok(url),
        _ => Err("a server is http://host:port".to_owned()),
    }
}

/// A server, with connections that are kept for the next request.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    url: Url,
    client: Client,
}

impl Host {
    /// Makes ready to speak to the server that `flags` name; does not connect yet.
    pub(crate) fn new(flags: &HostFlags) -> Result<Self, Error> {
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let url = flags.host.clone();
        match client {
            Ok(client) => Ok(Self { url, client }),
            Err(source) => {
                Err(Error::Connection { host: url.to_string(), source: Box::new(source) })
            }
        }
    }

    /// Begins a POST to `path` with `query` behind it.
    pub(crate) fn post(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query).finish();
        self.client.post(url)
    }

    /// What people call the server.
    pub(crate) fn name(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// The server could not be reached, or the connection broke.
    pub(crate) fn lost(&self, source: reqwest::Error) -> Error {
        // The error's own text repeats the whole URL, which the host stands for already.
        Error::Connection { host: self.name(), source: Box::new(source.without_url()) }
    }

    /// The server refused, with `status` and `body`.
    pub(crate) fn refused(&self, status: StatusCode, body: &[u8]) -> Error {
        let (host, message) = (self.name(), Refusal::read(body).message);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => Error::NotReady { host, message },
            _ => Error::Refused { host, message },
        }
    }
}

/// The body of a refusal.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Refusal {
    /// What is wrong, for people.
    #[serde(rename = "error")]
    pub(crate) message: String,
    /// The bad lines; the server tells the first of them only.
    #[serde(default, rename = "data")]
    pub(crate) lines: Vec<RefusedLine>,
}

/// A line that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct RefusedLine {
    /// Its number in the request, from 1.
    pub(crate) line_number: u64,
    /// The line, perhaps cut off.
    pub(crate) original_line: String,
    /// What is wrong with it.
    pub(crate) error_message: String,
}

impl Refusal {
    /// Reads `body`; what is no refusal of this server's, such as a proxy's page, becomes the
    /// message as it is.
    pub(crate) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body).trim().to_owned();
            let message = if text.is_empty() { "no reason given".to_owned() } else { text };
            Self { message, lines: Vec::new() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_whatever_it_looks_like() {
        let told = br#"{"error":"partial write","message":"partial write","code":"invalid",
            "data":[{"line_number":2,"original_line":"x","error_message":"no fields"}]}"#;
        let refusal = Refusal::read(told);
        assert_eq!(refusal.message, "partial write");
        assert_eq!(refusal.lines[0].line_number, 2);
        assert_eq!(Refusal::read(br#"{"error":"no"}"#).message, "no");
        assert_eq!(Refusal::read(b" <h1>Bad gateway</h1>\n").message, "<h1>Bad gateway</h1>");
        assert_eq!(Refusal::read(b"").message, "no reason given");
    }

    #[test]
    fn a_host_is_a_url_with_a_host() {
        assert!(parse("http://127.0.0.1:8181").is_ok());
        for wrong in ["127.0.0.1:8181", "localhost", "ftp://here", "https://needs.tls"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
