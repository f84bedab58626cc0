//! The effects that a log is given.

use std::sync::Arc;

use types::effect::{Clock, Disk, Randomness, Threads};

use crate::fatal::Fatal;

/// Clock, disk, chance, threads, and the end of the process.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where the segments are.
    pub disk: Arc<dyn Disk>,
    /// Measures fsyncs and idle time; orders nothing.
    pub clock: Arc<dyn Clock>,
    /// Draws salts and the log's id.
    pub randomness: Arc<dyn Randomness>,
    /// Starts the log's thread, and those that write spares.
    pub threads: Arc<dyn Threads>,
    /// What happens when the log cannot go on.
    pub fatal: Arc<dyn Fatal>,
}
