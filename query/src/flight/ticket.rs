//! What a ticket asks for.

use prost::Message;
use serde::Deserialize;
use serde_json::{Map, Value};
use tonic::metadata::MetadataMap;
use types::{DatabaseName, Position};

use crate::error::Error;
use crate::front::{POSITION, scalars};
use crate::proto::IngesterTicket;
use crate::request::Request;

/// The metadata keys under which clients name a database that their ticket leaves out.
const DATABASE_KEYS: [&str; 3] = ["database", "bucket", "iox-namespace-name"];

/// A ticket that is understood.
#[derive(Debug)]
pub(super) enum Asked {
    /// SQL, from a client.
    Sql(Request),
    /// The rows of the buffer, from a querier.
    Ingester(IngesterTicket),
}

/// InfluxDB 3's ticket. Unknown keys are ignored.
#[derive(Debug, Deserialize)]
struct SqlTicket {
    #[serde(alias = "namespace_name", alias = "bucket")]
    database: Option<String>,
    sql_query: String,
    query_type: Option<String>,
    params: Option<Map<String, Value>>,
}

impl Asked {
    /// Reads `ticket`, which came with `metadata`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] with what is wrong.
    pub(super) fn new(ticket: &[u8], metadata: &MetadataMap) -> Result<Self, Error> {
        // No protobuf message of ours starts so: as a field's key this byte would open a group.
        if ticket.trim_ascii_start().starts_with(b"{") {
            let ticket = serde_json::from_slice(ticket).map_err(|error| wrong(&error))?;
            return sql(ticket, metadata).map(Self::Sql);
        }
        IngesterTicket::decode(ticket).map(Self::Ingester).map_err(|error| wrong(&error))
    }
}

fn sql(ticket: SqlTicket, metadata: &MetadataMap) -> Result<Request, Error> {
    let language = ticket.query_type.as_deref().unwrap_or("sql");
    if language != "sql" {
        return Err(wrong(&format!("query_type {language:?} is not served, only \"sql\" is")));
    }
    let in_metadata = || DATABASE_KEYS.iter().find_map(|key| text_of(metadata, key));
    let database = ticket.database.as_deref().filter(|name| !name.is_empty());
    let database = database.or_else(in_metadata);
    let database = database.ok_or_else(|| wrong(&"it names no database"))?;
    let position = text_of(metadata, POSITION).map(str::parse::<Position>).transpose();
    Ok(Request {
        database: DatabaseName::new(database).map_err(|error| wrong(&error))?,
        sql: ticket.sql_query,
        params: scalars(ticket.params.unwrap_or_default())?,
        position: position.map_err(|error| wrong(&error))?,
    })
}

/// The text under `key`, if there is one.
pub(super) fn text_of<'m>(metadata: &'m MetadataMap, key: &str) -> Option<&'m str> {
    metadata.get(key).and_then(|value| value.to_str().ok())
}

/// The error of a ticket that is not understood.
pub(super) fn wrong(what: &dyn std::fmt::Display) -> Error {
    Error::Parameter { reason: format!("the ticket is not understood: {what}") }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use super::*;

    fn ask(ticket: &[u8], metadata: &[(&'static str, &str)]) -> Result<Asked, Error> {
        let mut map = MetadataMap::new();
        for (key, value) in metadata {
            map.insert(*key, value.parse().expect("a metadata value"));
        }
        Asked::new(ticket, &map)
    }

    fn check(ticket: &str, metadata: &[(&'static str, &str)], database: &str) {
        let Ok(Asked::Sql(request)) = ask(ticket.as_bytes(), metadata) else {
            panic!("{ticket} is SQL");
        };
        assert_eq!(request.database.as_str(), database, "{ticket}");
    }

    #[test]
    fn a_database_stands_in_the_ticket_or_in_the_metadata() {
        check(r#"{"database":"d","sql_query":"q","query_type":"sql"}"#, &[], "d");
        check(r#"{"namespace_name":"d","sql_query":"q"}"#, &[], "d");
        check(r#" {"sql_query":"q"}"#, &[("database", "m")], "m");
        check(r#"{"sql_query":"q","database":""}"#, &[("bucket", "m")], "m");
        check(r#"{"database":"d","sql_query":"q"}"#, &[("database", "m")], "d");
    }

    #[test]
    fn parameters_are_taken() {
        let ticket = br#"{"database":"d","sql_query":"q","params":{"n":7}}"#;
        let Ok(Asked::Sql(request)) = ask(ticket, &[]) else {
            panic!("this is SQL");
        };
        assert_eq!(request.params["n"], ScalarValue::Int64(Some(7)));
    }

    #[test]
    fn other_tickets_are_refused_with_a_reason() {
        for (ticket, reason) in [
            (&br#"{"database":"d"}"#[..], "sql_query"),
            (br#"{"sql_query":"q"}"#, "no database"),
            (br#"{"database":"d","sql_query":"q","query_type":"influxql"}"#, "influxql"),
            (b"\xff\xff", "ticket"),
        ] {
            let error = ask(ticket, &[]).expect_err("not understood");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn a_querier_is_told_from_a_client() {
        let ticket = IngesterTicket {
            database: "{".to_owned(),
            catalog_version: 3,
            ..IngesterTicket::default()
        };
        let Ok(Asked::Ingester(read)) = ask(&ticket.encode_to_vec(), &[]) else {
            panic!("this is an ingester's ticket");
        };
        assert_eq!(read, ticket);
    }
}
