//! A query as HTTP clients write it.

use http::header::{ACCEPT, HeaderMap};
use serde::Deserialize;
use serde_json::{Map, Value};
use types::{DatabaseName, Position};

use super::format::Format;
use crate::error::Error;
use crate::front::{POSITION, scalars};
use crate::request::Request;

/// The parameters of a URL. Unknown ones are ignored, as InfluxDB 3 does.
#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    db: String,
    q: String,
    format: Option<String>,
    /// A JSON object as text.
    params: Option<String>,
}

/// The body of a `POST`.
#[derive(Debug, Deserialize)]
struct Body {
    db: String,
    q: String,
    format: Option<String>,
    params: Option<Map<String, Value>>,
}

/// What a client wants to know, and in which form.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) format: Format,
}

impl Question {
    /// The question in a URL.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] with what is wrong.
    pub(super) fn of_parameters(
        parameters: Parameters,
        headers: &HeaderMap,
    ) -> Result<Self, Error> {
        let Parameters { db, q, format, params } = parameters;
        let params = params.map(|text| serde_json::from_str(&text)).transpose();
        let params = params.map_err(|error| Error::Parameter {
            reason: format!("the parameter params is not a JSON object: {error}"),
        })?;
        Self::new(Body { db, q, format, params }, headers)
    }

    /// The question in a JSON body, whatever content type it claims: `curl -d` claims a form.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] with what is wrong.
    pub(super) fn of_json(body: &[u8], headers: &HeaderMap) -> Result<Self, Error> {
        let body = serde_json::from_slice(body).map_err(|error| Error::Parameter {
            reason: format!("the body is not a JSON object with db and q: {error}"),
        })?;
        Self::new(body, headers)
    }

    fn new(body: Body, headers: &HeaderMap) -> Result<Self, Error> {
        let database = DatabaseName::new(&body.db)
            .map_err(|error| Error::Parameter { reason: error.to_string() })?;
        let format = match &body.format {
            Some(name) => name.parse()?,
            None => {
                let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
                Format::accepted(accept.unwrap_or_default())
            }
        };
        let request = Request {
            database,
            sql: body.q,
            params: scalars(body.params.unwrap_or_default())?,
            position: position(headers)?,
        };
        Ok(Self { request, format })
    }
}

fn position(headers: &HeaderMap) -> Result<Option<Position>, Error> {
    let Some(value) = headers.get(POSITION) else {
        return Ok(None);
    };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    let reason = || format!("the header {POSITION} is not a position that a write returned");
    position.map(Some).ok_or_else(|| Error::Parameter { reason: reason() })
}
