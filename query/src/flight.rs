//! Reading over Arrow Flight: `DoGet`, with one of two tickets.
//!
//! ```text
//!   {"database": .., "sql_query": ..}   InfluxDB 3's clients ─▶ sql ──────▶ QueryEngine
//!   IngesterTicket (protobuf)           queriers ────────────▶ ingester ─▶ QueryExec, the buffer
//! ```
//!
//! Both are bounded by the engine's permits and its timeout until their stream has ended.

mod ingester;
mod pump;
mod sql;
mod status;
mod ticket;
mod wire;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::future::ready;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use crate::engine::QueryEngine;
use crate::error::Error;
use crate::front::{QUERY_BYTES_MAX, REQUEST_ID, RequestId, Watch, contained};
use pump::pump;
use ticket::Asked;

/// The largest message of an answer, which readers of ingesters have to take.
///
/// Record batches are cut to 2 MiB. What cannot be cut is a dictionary: the values of one tag in one
/// chunk, at the most a hot partition (64 MiB) and one request (64 MiB).
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The messages of an answer.
type Frames = BoxStream<'static, Result<FlightData, Error>>;

/// The service by which `engine` and its buffer are read over Arrow Flight.
pub fn service(engine: QueryEngine) -> FlightServiceServer<FlightFrontEnd> {
    FlightServiceServer::new(FlightFrontEnd { engine })
        .max_decoding_message_size(QUERY_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// Answers Arrow Flight's calls.
#[derive(Debug)]
pub struct FlightFrontEnd {
    engine: QueryEngine,
}

impl FlightFrontEnd {
    async fn get(&self, request: &Request<Ticket>, watch: &Watch) -> Result<Frames, Error> {
        Ok(match Asked::new(&request.get_ref().ticket, request.metadata())? {
            Asked::Sql(request) => {
                watch.about(request.database.as_str(), &request.sql);
                let answer = self.engine.query(request).await?;
                contained(sql::frames(answer)).boxed()
            }
            Asked::Ingester(ticket) => {
                watch.about(&ticket.database, &ticket.table);
                let read = ingester::frames(&self.engine, ticket).await?;
                pump(read, self.engine.config().query_timeout).boxed()
            }
        })
    }
}

#[tonic::async_trait]
impl FlightService for FlightFrontEnd {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    /// Echoes: who may read is settled by each call's own token.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let HandshakeRequest { protocol_version, payload } =
            request.into_inner().message().await?.unwrap_or_default();
        let echo = HandshakeResponse { protocol_version, payload };
        Ok(Response::new(stream::once(ready(Ok(echo))).boxed()))
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let given = ticket::text_of(request.metadata(), REQUEST_ID);
        let request_id = RequestId::new(given, self.engine.deps().randomness.as_ref());
        let watch = Watch::start(&self.engine, &request_id);
        let frames = self.get(&request, &watch).instrument(watch.span()).await;
        let status_of = move |error: Error| {
            watch.failed(&error);
            status::of(&error)
        };
        let frames = frames.map_err(&status_of)?.map_err(status_of).boxed();
        let mut response = Response::new(frames);
        if let Ok(echo) = MetadataValue::try_from(request_id.as_str()) {
            response.metadata_mut().insert(REQUEST_ID, echo);
        }
        Ok(response)
    }

    async fn list_flights(
        &self,
        _request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(unserved("ListFlights"))
    }

    async fn get_flight_info(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(unserved("GetFlightInfo"))
    }

    async fn poll_flight_info(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(unserved("PollFlightInfo"))
    }

    async fn get_schema(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        Err(unserved("GetSchema"))
    }

    async fn do_put(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        Err(unserved("DoPut"))
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(unserved("DoExchange"))
    }

    async fn do_action(
        &self,
        _request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        Err(unserved("DoAction"))
    }

    async fn list_actions(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(unserved("ListActions"))
    }
}

fn unserved(call: &str) -> Status {
    Status::unimplemented(format!(
        "{call} is not served: call DoGet with a ticket like \
         {{\"database\": \"mydb\", \"sql_query\": \"SELECT 1\", \"query_type\": \"sql\"}}"
    ))
}

#[cfg(test)]
mod tests;
