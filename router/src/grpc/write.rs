//! `forebay.v1.WriteService`.

use std::sync::Arc;

use http::StatusCode;
use prost::Message;
use tonic::{Request, Response, Status};
use types::{BatchId, DatabaseName, Position, SchemaVersion, TableName};

use super::intake::Taken;
use super::{failure, ipc};
use crate::edge::{ArrowTable, ArrowWrite, Edge, on_cpu};
use crate::error::Error;
use crate::metrics::Endpoint;
use crate::proto::write_service_server::WriteService;
use crate::proto::{TableBatch, WriteRequest, WriteResponse};
use crate::status;

/// Takes writes whose rows are columns already.
#[derive(Clone, Debug)]
pub struct WriteDoor {
    edge: Arc<Edge>,
}

#[tonic::async_trait]
impl WriteService for WriteDoor {
    async fn write(
        &self,
        request: Request<WriteRequest>,
    ) -> Result<Response<WriteResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let written = self.serve(message, extensions.get::<Taken>()).await;
        let status = match &written {
            Ok(_) => StatusCode::OK,
            Err(error) => status::of_error(error).http,
        };
        self.edge.metrics().answered(Endpoint::Grpc, status);
        match written {
            Ok(position) => Ok(Response::new(WriteResponse { position: position.to_string() })),
            Err(error) => Err(failure::of_error(&self.edge, &error)),
        }
    }
}

impl WriteDoor {
    pub(super) const fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }

    async fn serve(&self, request: WriteRequest, taken: Option<&Taken>) -> Result<Position, Error> {
        let unaccounted = || Error::Internal("a message came past its intake".to_owned());
        let taken = taken.ok_or_else(unaccounted)?;
        let limit = self.edge.config().limits.partitions_max;
        // Each has a partition of its own, so this many could not be kept anyway.
        if request.tables.len() > limit {
            return Err(Error::TooManyTables { limit });
        }
        let bytes = request.encoded_len();
        self.edge.metrics().read(Endpoint::Grpc, bytes as u64);
        let (memory, answer_by) = (taken.memory().ok_or_else(unaccounted)?, taken.answer_by);
        let database = DatabaseName::new(&request.database)?;
        let batch_id = batch_id(&request.batch_id)?;
        let decode = move || {
            let mut text_left = ipc::VIEW_TEXT_BYTES_MAX;
            let tables = request.tables.into_iter();
            tables.map(|table| decode_table(table, &mut text_left)).collect()
        };
        let pool = self.edge.deps().pool.as_ref();
        let tables: Result<Vec<ArrowTable>, Error> = on_cpu(pool, bytes, decode).await?;
        let write = ArrowWrite { database, tables: tables?, batch_id, memory, answer_by };
        self.edge.write_arrow(write).await
    }
}

fn batch_id(bytes: &[u8]) -> Result<BatchId, Error> {
    if bytes.is_empty() {
        return Ok(BatchId::default());
    }
    let wrong = |_| Error::Parameter("the batch id must have 16 bytes, or none".to_owned());
    Ok(BatchId::from_bytes(bytes.try_into().map_err(wrong)?))
}

fn decode_table(table: TableBatch, text_left: &mut u64) -> Result<ArrowTable, Error> {
    let decoded = ipc::decode(table.arrow_ipc, text_left)
        .map_err(|reason| Error::Arrow { table: table.table.clone(), reason });
    Ok(ArrowTable {
        name: TableName::new(&table.table)?,
        sent_version: table.schema_version.map(SchemaVersion::new),
        batches: decoded?,
    })
}
