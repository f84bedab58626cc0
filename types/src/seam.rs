//! The seams: small traits by which the crates see each other, and which decorators wrap.

pub mod dml_sink;
pub mod memory_gate;
pub mod persist_now;
pub mod publish;
pub mod query_exec;

pub use dml_sink::{DmlError, DmlSink, Rejection};
pub use memory_gate::MemoryGate;
pub use persist_now::{PersistNow, PersistNowError};
pub use publish::{DurableBatch, Publish};
pub use query_exec::{GiveWay, PartitionRef, QueryError, QueryExec, QueryReader, TableReader};
