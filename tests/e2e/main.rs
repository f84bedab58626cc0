//! The whole program from outside: the real binary, real files, real signals.
//!
//! | module | question |
//! |---|---|
//! | [`round_trip`] | is what was written answered, from the buffer and from files? |
//! | [`whole_year`] | is all of a year there at once, all through a persist, and from files? |
//! | [`restart`] | does what was acknowledged outlive a kill and a shutdown? |
//! | [`kill`] | and kills at any moment, time after time? |
//! | [`housekeeping`] | does housekeeping refuse a write, do slow readers hold one up? |
//! | [`one_row`] | what do very small writes cost? |
//! | [`live_pipe`] | is a pipe written as its lines come, and left when they are refused? |
//! | [`refusal`] | is what is refused told, and nothing else lost? |
//! | `figures` | how long does it take? (with the feature `benches`) |

mod duckdb;
#[cfg(feature = "benches")]
mod figures;
mod flights;
mod housekeeping;
mod kill;
mod live_pipe;
mod one_row;
mod refusal;
mod restart;
mod round_trip;
mod server;
mod whole_year;
