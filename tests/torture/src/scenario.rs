//! The scenarios, one a file. Each has options, runs on settings, and ends with a report.

pub mod eio;
pub mod fsync;
pub mod full_disk;
pub mod kills;
pub mod memory;
pub mod outage;
pub mod overload;
pub mod pause;
pub mod power;
pub mod recovery;
pub mod rot;
pub mod slow_disk;
