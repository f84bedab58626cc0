//! The ingester as a whole, on a real log, with a catalog and a store in memory.

pub(crate) mod fixture;
mod full_disk;
mod full_log;
mod harness;
mod housekeeping;
mod replay;
mod restart;
mod schema;
