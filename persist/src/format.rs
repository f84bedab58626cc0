//! The files that a job is written as, and their names.

pub mod arrow_ipc;
pub(crate) mod columns;
pub(crate) mod encoder;
pub mod object_key;
pub mod parquet_file;
pub mod provenance;

pub use provenance::Provenance;
