//! HTTP as a client speaks it: writes, queries, readiness.

use std::thread;
use std::time::{Duration, Instant};

use reqwest::blocking::{Body, Client, Response};
use reqwest::header::RETRY_AFTER;
use serde_json::Value;

use crate::error::Error;

/// Longer than any answer may take that is not an error by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The status of a query for which there is no memory now.
const BUSY: u16 = 503;
/// How long such a query is sent again, and how soon.
const BUSY_MAX: Duration = Duration::from_secs(30);
const BUSY_PACE: Duration = Duration::from_millis(200);

/// A client with connections of its own.
pub(crate) fn client() -> Result<Client, Error> {
    let client = Client::builder().timeout(PATIENCE).no_proxy().build();
    client.map_err(|error| Error::answer("make an HTTP client", &error))
}

/// How a write was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Nothing if there was no answer.
    pub(crate) status: Option<u16>,
    /// When to come back, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// True if the connection stood and no answer came: the server hangs.
    pub(crate) hung: bool,
}

impl Answer {
    pub(crate) fn is_acked(&self) -> bool {
        self.status == Some(204)
    }

    /// True if nothing was kept and the same may be sent again.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.status, Some(429 | 503))
    }

    /// What is wrong with this answer to a good write, if anything is. A 504 says that the outcome
    /// is unknown, which is honest.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.hung {
            return Some(format!("no answer to a write within {PATIENCE:?}"));
        }
        match (self.status, self.retry_after) {
            (None | Some(204 | 504), _) | (Some(429 | 503), Some(1..)) => None,
            (Some(status @ (429 | 503)), wait) => {
                Some(format!("{status} with Retry-After {wait:?}"))
            }
            (Some(status), _) => Some(format!("status {status} for a good write")),
        }
    }
}

/// Writes lines whose times are nanoseconds.
pub(crate) fn write(client: &Client, url: &str, database: &str, lines: impl Into<Body>) -> Answer {
    write_and_read(client, url, database, lines).0
}

/// The same, with the text of the answer.
pub(crate) fn write_and_read(
    client: &Client,
    url: &str,
    database: &str,
    lines: impl Into<Body>,
) -> (Answer, String) {
    let url = format!("{url}/api/v3/write_lp?db={database}&precision=nanosecond");
    let response = match client.post(url).body(lines).send() {
        Ok(response) => response,
        Err(error) => {
            let hung = error.is_timeout();
            return (Answer { status: None, retry_after: None, hung }, String::new());
        }
    };
    let answer = of_response(&response);
    // The body is read though few want it, so that the connection is used again.
    (answer, response.text().unwrap_or_default())
}

fn of_response(response: &Response) -> Answer {
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    Answer { status: Some(response.status().as_u16()), retry_after, hung: false }
}

/// The rows of a query; who is told to come back does.
pub(crate) fn rows(
    client: &Client,
    url: &str,
    database: &str,
    sql: &str,
) -> Result<Vec<Value>, Error> {
    let deadline = Instant::now() + BUSY_MAX;
    loop {
        let asked = client.get(format!("{url}/api/v3/query_sql"));
        let answer = asked.query(&[("db", database), ("q", sql)]).send();
        let answer = answer.map_err(|error| Error::answer(sql, &error))?;
        let status = answer.status();
        let text = answer.text().map_err(|error| Error::answer(sql, &error))?;
        if status.is_success() {
            return serde_json::from_str(&text).map_err(|error| Error::answer(sql, &error));
        }
        if status.as_u16() != BUSY || Instant::now() > deadline {
            return Err(Error::answer(sql, &format!("{status}: {text}")));
        }
        thread::sleep(BUSY_PACE);
    }
}

/// One number that a query has for an answer.
pub(crate) fn number(client: &Client, url: &str, database: &str, sql: &str) -> Result<u64, Error> {
    let rows = rows(client, url, database, sql)?;
    let number = rows.first().and_then(|row| row.as_object()?.values().next()?.as_u64());
    number.ok_or_else(|| Error::answer(sql, &"no number"))
}

/// The status and the text of `/ready`.
pub(crate) fn ready(client: &Client, url: &str) -> Result<(u16, String), Error> {
    text(client, &format!("{url}/ready"))
}

/// The status and the text of a page.
pub(crate) fn text(client: &Client, page: &str) -> Result<(u16, String), Error> {
    let answer = client.get(page).send().map_err(|error| Error::answer(page, &error))?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().map_err(|error| Error::answer(page, &error))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let fault = |status, retry_after| Answer { status, retry_after, hung: false }.fault();
        for good in [(None, None), (Some(204), None), (Some(504), None), (Some(503), Some(1))] {
            assert_eq!(fault(good.0, good.1), None);
        }
        for bad in [(Some(503), None), (Some(429), Some(0)), (Some(400), None), (Some(500), None)] {
            assert!(fault(bad.0, bad.1).is_some(), "{bad:?}");
        }
        assert!(Answer { status: None, retry_after: None, hung: true }.fault().is_some());
    }
}
