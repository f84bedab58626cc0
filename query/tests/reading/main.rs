//! Does a query give the newest value of each field of each point, whatever lies where?
//!
//! Method: a catalog and an object store in memory, files written here, and a buffer that follows
//! the protocol of `QueryExec` to the letter. Rows are spread over chunks and files, files are
//! committed before a query and at its turns, and every answer is compared with that of a map which
//! is written to in the order of the log.

mod any_arrangement;
mod bounds;
mod buffer;
mod counts;
mod model;
mod plans;
mod rot;
mod statements;
mod turns;
mod world;
