//! The persist actor: takes a partition's sealed chunks and brings them, sorted and deduplicated, as
//! one Parquet file into the object store and with one command into the catalog.
//!
//! ```text
//!   PersistHandle ──▶ Permits ──▶ queues ──▶ Worker ──▶ Machine: encode ─▶ upload ─▶ verify ─▶ commit
//!   (who demands)    Saturation                │                  │          │                  │
//!                                              ▼               Pool      ObjectStore      CatalogWrite
//!                                     PersistObserver
//!                              (chunks, log tracker, waiters)
//! ```
//!
//! * [`PersistHandle`] is the face: it explains permits, queues and saturation;
//! * `machine` has the stages of one job, and what happens when one fails;
//! * [`format`] has the files: Parquet, Arrow IPC for what was set aside, and their names;
//! * [`store`] has what a store needs beside `object_store`: fsync on a local disk, one owner of a
//!   prefix, and faults for tests.
//!
//! A file is durable in the store before the catalog is told of it, and observers hear of it only
//! after the commit; so whatever is dropped on their word is held by a file that queries see.

mod backoff;
mod config;
mod context;
mod cpu_pool;
mod demand;
mod deps;
mod error;
#[cfg(test)]
mod fixture;
pub mod format;
mod handle;
mod job;
mod large_jobs;
mod machine;
mod metrics;
mod outcome;
mod permits;
mod queue;
mod saturation;
mod sort_order;
pub mod store;
mod worker;

pub use config::Config;
pub use cpu_pool::CpuPool;
pub use demand::Demand;
pub use deps::Deps;
pub use error::Error;
pub use handle::PersistHandle;
pub use job::PersistJob;
pub use metrics::State;
pub use outcome::{Outcome, PersistObserver, Receipt, Settled};

#[cfg(test)]
mod tests;
