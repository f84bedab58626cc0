//! What the commands beside `serve` do: clients of a server, and readers of a log's directory.

mod host;
pub(crate) mod persist;
pub(crate) mod query;
pub(crate) mod wal;
pub(crate) mod write;
