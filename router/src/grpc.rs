//! The gRPC face of the edge: direct writes, and persisting on demand.

mod failure;
mod intake;
mod ipc;
mod persist;
mod tables;
mod write;

use std::sync::Arc;

use tonic::codec::CompressionEncoding;

use crate::edge::Edge;
use crate::proto::persist_service_server::PersistServiceServer;
use crate::proto::write_service_server::WriteServiceServer;

pub use intake::WriteIntake;
pub use persist::PersistDoor;
pub use write::WriteDoor;

/// Largest answer, and largest request to persist: a name or a sentence.
const SMALL_MESSAGE_BYTES_MAX: usize = 64 << 10;

/// The service `forebay.v1.WriteService`. Messages are limited as bodies over HTTP are, as they
/// come and inflated alike, and memory is reserved before they are read.
pub fn write_service(edge: &Arc<Edge>) -> WriteIntake {
    let limit = usize::try_from(edge.config().body_bytes_max).unwrap_or(usize::MAX);
    let service = WriteServiceServer::new(WriteDoor::new(Arc::clone(edge)))
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limit)
        .max_encoding_message_size(SMALL_MESSAGE_BYTES_MAX);
    WriteIntake::new(Arc::clone(edge), service)
}

/// The service `forebay.v1.PersistService`.
pub fn persist_service(edge: &Arc<Edge>) -> PersistServiceServer<PersistDoor> {
    PersistServiceServer::new(PersistDoor::new(Arc::clone(edge)))
        .max_decoding_message_size(SMALL_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(SMALL_MESSAGE_BYTES_MAX)
}

#[cfg(test)]
mod tests;
