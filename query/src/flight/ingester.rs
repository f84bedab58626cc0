//! A querier's read of this node's buffer at the querier's catalog version.
//!
//! Only what the files of that version do not hold is sent: files that were added later are as if
//! they were not there yet, and their rows are still in the buffer, because the version is
//! registered before they are looked for.

mod rows;
mod turns;
mod wanted;

use std::sync::Arc;

use arrow_flight::FlightData;
use bytes::Bytes;
use catalog::Snapshot;
use futures::future::ready;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use prost::Message;
use types::CatalogVersion;

use super::wire;
use crate::config::Deps;
use crate::engine::QueryEngine;
use crate::error::Error;
use crate::proto::ingester_frame::Frame;
use crate::proto::{IngesterFrame, IngesterTicket, StreamStart};
use turns::Turns;
use wanted::Wanted;

/// The messages that answer `ticket`. Their stream holds a permit, and the version for its scan.
///
/// # Errors
///
/// [`Error`], if the ticket cannot be served; see `query.proto` for what that means to its sender.
pub(super) async fn frames(
    engine: &QueryEngine,
    ticket: IngesterTicket,
) -> Result<impl Stream<Item = Result<FlightData, Error>> + Send + 'static, Error> {
    let wanted = Wanted::new(ticket)?;
    let deps = engine.deps();
    let running = engine.admit(&wanted.database, &format!("buffer of table {}", wanted.table))?;
    if let Some(position) = wanted.position {
        let timeout = engine.config().position_timeout;
        deps.buffer.wait_for(position, timeout).await?;
    }
    let reader = deps.buffer.register(wanted.version)?;
    let snapshot = known_up_to(wanted.version, deps).await?;
    let table = wanted.table_in(&snapshot)?;
    let (log, epoch) = deps.buffer.log();
    // Read before the partitions are fixed, so that the rows up to it are in one of them.
    let published = deps.buffer.published();
    let start = Frame::Start(StreamStart {
        log_id: Bytes::copy_from_slice(log.as_bytes()),
        epoch: epoch.get(),
        published_lsn: published.get(),
        catalog_version: reader.version().get(),
    });
    let turns = Turns::new(&*reader, wanted, table, log, engine.memory_pool());
    // The scan holds the version for its own table from here on. What was registered for the query
    // would keep chunks of all tables for as long as its reader takes to read.
    drop(reader);
    let start = stream::once(ready(Ok(message(start))));
    let frames = start.chain(turns.into_stream());
    let mut schema = Bytes::new();
    Ok(frames.try_filter(move |frame| {
        let _held = &running;
        ready(!repeats(&mut schema, frame))
    }))
}

/// A message that carries `frame` and no Arrow data.
fn message(frame: Frame) -> FlightData {
    let frame = IngesterFrame { frame: Some(frame) };
    wire::metadata(frame.encode_to_vec().into())
}

/// True if `frame` is the schema that was sent last; the dictionaries that follow replace those of
/// the same columns.
fn repeats(sent: &mut Bytes, frame: &FlightData) -> bool {
    wire::is_schema(frame) && std::mem::replace(sent, frame.data_header.clone()) == *sent
}

/// The catalog as it is known here, at `version` or newer.
async fn known_up_to(version: CatalogVersion, deps: &Deps) -> Result<Arc<Snapshot>, Error> {
    let mut snapshot = deps.catalog.snapshot();
    if snapshot.version() < version {
        snapshot = deps.catalog.refresh().await?;
    }
    match snapshot.version() {
        known if known < version => Err(Error::CatalogBehind { known, wanted: version }),
        _ => Ok(snapshot),
    }
}
