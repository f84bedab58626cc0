//! What stands in front of the door for writes: it takes messages in, with memory reserved before
//! they are read. The library behind it would read and inflate them first, and has no time limit.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use tonic::body::Body as GrpcBody;
use tonic::codegen::{BoxFuture, Context, Poll, Service};
use tonic::server::NamedService;
use types::Reservation;

use super::write::WriteDoor;
use super::{failure, tables};
use crate::body::{Encoding, Message, read_message};
use crate::edge::{AnswerBy, Edge};
use crate::error::Error;
use crate::metrics::Endpoint;
use crate::proto::write_service_server::WriteServiceServer;
use crate::status;

/// The one method that takes more than a name. Others, which do not exist, are refused unread.
const WRITE_PATH: &str = "/forebay.v1.WriteService/Write";

/// The service `forebay.v1.WriteService`, whose messages are in memory that was reserved for them.
#[derive(Clone, Debug)]
pub struct WriteIntake {
    edge: Arc<Edge>,
    inner: WriteServiceServer<WriteDoor>,
}

impl WriteIntake {
    pub(super) const fn new(edge: Arc<Edge>, inner: WriteServiceServer<WriteDoor>) -> Self {
        Self { edge, inner }
    }

    async fn serve(mut self, request: Request<GrpcBody>) -> Response<GrpcBody> {
        let encoding = Encoding::of(request.headers());
        let taken = match encoding.filter(|_| request.uri().path() == WRITE_PATH) {
            Some(encoding) => self.take_in(encoding, request).await,
            None => Ok(request),
        };
        match taken {
            Ok(request) => {
                let Ok(response) = self.inner.call(request).await;
                response
            }
            Err(error) => {
                self.edge.metrics().answered(Endpoint::Grpc, status::of_error(&error).http);
                failure::of_error(&self.edge, &error).into_http()
            }
        }
    }

    /// The request with all of its message, and with the memory for it.
    async fn take_in(
        &self,
        encoding: Encoding,
        request: Request<GrpcBody>,
    ) -> Result<Request<GrpcBody>, Error> {
        let answer_by = AnswerBy::begin();
        let (mut head, body) = request.into_parts();
        let limit = self.edge.config().body_bytes_max;
        let deps = self.edge.deps();
        let (gate, pool) = (&*deps.gate, &*deps.pool);
        let message = read_message(gate, pool, encoding, Body::new(body), limit).await?;
        let Message { parts, memory, sent_in } = message;
        self.check_tables(&parts)?;
        head.extensions.insert(Taken::new(memory, answer_by.later_by(sent_in)));
        // The head for itself, so that room is made for the message once it is known how much.
        let parts = stream::iter(parts.map(Ok::<_, Infallible>));
        Ok(Request::from_parts(head, GrpcBody::new(Body::from_stream(parts))))
    }

    /// The door refuses too many tables as well, but then they are decoded. One that is still
    /// packed is left to it.
    fn check_tables(&self, parts: &[Bytes; 2]) -> Result<(), Error> {
        let limit = self.edge.config().limits.partitions_max;
        let [head, message] = parts;
        let is_plain = head.first() == Some(&0);
        if is_plain && tables::count(message) > limit {
            return Err(Error::TooManyTables { limit });
        }
        Ok(())
    }
}

impl Service<Request<GrpcBody>> for WriteIntake {
    type Response = Response<GrpcBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<GrpcBody>) -> Self::Future {
        let intake = self.clone();
        Box::pin(async move { Ok(intake.serve(request).await) })
    }
}

impl NamedService for WriteIntake {
    const NAME: &'static str = <WriteServiceServer<WriteDoor> as NamedService>::NAME;
}

/// What a message brings along to the door: the memory that it is in, and when its answer is due.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Extensions of requests can be cloned; memory cannot.
    memory: Arc<Mutex<Option<Reservation>>>,
    pub(super) answer_by: AnswerBy,
}

impl Taken {
    fn new(memory: Reservation, answer_by: AnswerBy) -> Self {
        Self { memory: Arc::new(Mutex::new(Some(memory))), answer_by }
    }

    /// The memory, once.
    pub(super) fn memory(&self) -> Option<Reservation> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
