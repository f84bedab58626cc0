//! SQL over Arrow Flight, as InfluxDB 3's clients ask.

use arrow::array::RecordBatch;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightClient, Ticket};
use futures::TryStreamExt;
use tonic::transport::Endpoint;

use super::Error;

/// The largest message that is taken: what the server may send at the most.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The answer of the server at `url` (`http://host:port`).
///
/// # Errors
///
/// [`Error::Connection`] and [`Error::Flight`]; then nothing is known of what is there.
pub async fn flight(url: &str, database: &str, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
    let service = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let mut client = FlightClient::new_from_inner(service);
    let ticket = serde_json::json!({
        "database": database,
        "sql_query": sql,
        "query_type": "sql",
    });
    let ticket = Ticket { ticket: ticket.to_string().into() };
    Ok(client.do_get(ticket).await?.try_collect().await?)
}
