//! The edge for writes: HTTP and gRPC in, parsed, checked and partitioned batches out.
//!
//! ```text
//!   http_api ── lines ──▶ body ─────▶ plan ──────────▶ Edge ──▶ DmlSink
//!                         memory      Line, Planner     │  ▲
//!   grpc ───── columns ─▶ first,      pure: one batch   │  │ SchemaChanged:
//!                         then bytes  a table and day   └──┘ check again
//! ```
//!
//! * [`http_routes`] and [`write_service`] are the doors; all share one [`Edge`];
//! * a request is checked against one version of the catalog, line by line: a bad line is told and
//!   leaves nothing behind, and what refuses a whole request keeps nothing of it;
//! * memory is reserved before a body is read, grows in steps while it is inflated and before rows
//!   are gathered, and travels with the batches into the sink;
//! * [`status`] is the one table of HTTP and gRPC codes.

mod body;
mod config;
mod edge;
mod error;
mod grpc;
mod http_api;
mod line;
mod metrics;
mod plan;
mod precision;
pub mod proto;
pub mod status;
#[cfg(test)]
mod testing;

pub use config::{BODY_BYTES_CEILING, Config, Limits};
pub use edge::{AnswerBy, ArrowTable, ArrowWrite, Deps, Edge};
pub use error::{ColumnFault, Error};
pub use grpc::{PersistDoor, WriteDoor, WriteIntake, persist_service, write_service};
pub use http_api::{
    POSITION_HEADER, REQUEST_ID_HEADER, http_routes, with_bodies_read, with_nothing_elsewhere,
    with_request_ids,
};
