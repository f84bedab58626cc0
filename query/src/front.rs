//! What the front ends, HTTP and Arrow Flight, have in common: how a request is named, bounded,
//! refused and logged.

pub(crate) mod chain;
pub(crate) mod contained;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod params;
pub(crate) mod request_id;
pub(crate) mod status;
pub(crate) mod watch;

pub(crate) use chain::chain;
pub(crate) use contained::contained;
pub(crate) use params::scalars;
pub(crate) use request_id::{REQUEST_ID, RequestId};
pub(crate) use status::Status;
pub(crate) use watch::Watch;

/// The header, or the metadata key, with a position that a write returned.
pub(crate) const POSITION: &str = "x-forebay-position";

/// The largest text of a query with its parameters. Long lists of values are the only ones to come
/// near it; nothing of it counts in the memory budget before the query is planned.
pub(crate) const QUERY_BYTES_MAX: usize = 1024 * 1024;
