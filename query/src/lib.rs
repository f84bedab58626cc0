//! Reading: SQL over the buffer and the Parquet files of one catalog version, as if they were one.
//!
//! ```text
//!   Request ─▶ QueryEngine ─▶ register version V with the buffer, plan (DataFusion)
//!                  │
//!                  ▼
//!             PartitionScan: the partitions of the files of V and of the buffer, each at its turn
//!                  │            files of V ─┐
//!                  │                        ├─▶ deduplicate: field by field the newest value
//!                  │   chunks not in them ──┘
//!                  ▼
//!               Answer: batches, with the permit, the deadline and the readers of the query
//! ```
//!
//! This crate knows the buffer only as [`types::seam::QueryExec`] and the catalog only as
//! [`catalog::CatalogRead`], so it cannot name a write.

pub mod config;
mod cut;
mod database;
pub mod engine;
pub mod error;
pub mod flight;
mod front;
pub mod http;
mod merge;
mod on_pool;
mod predicate;
pub mod proto;
pub mod request;
mod scan;
mod source;
mod system;
mod table;
mod view;

pub use config::{Config, Deps};
pub use engine::QueryEngine;
pub use error::Error;
pub use request::{Answer, Request};
