//! The effects that a log is given.

use std::sync::Arc;

use types::effect::{Clock, Disk, Randomness};

use crate::fatal::Fatal;

/// Clock, disk, chance, and the end of the process.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where the segments are.
    pub disk: Arc<dyn Disk>,
    /// Measures fsyncs and idle time; orders nothing.
    pub clock: Arc<dyn Clock>,
    /// Draws salts and the log's id.
    pub randomness: Arc<dyn Randomness>,
    /// What happens when the log cannot go on.
    pub fatal: Arc<dyn Fatal>,
}
