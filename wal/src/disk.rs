//! Disks: the real one, the modelled one, and what to do when a call fails.

mod durable;
mod errno;
mod io;
#[cfg(any(test, feature = "model"))]
mod model;
mod real;
mod sync_once;

pub use durable::{create_dir_all, rename};
pub(crate) use errno::lacks_descriptor;
pub use errno::{Operation, Response, respond};
pub use io::{ReadAt, read_exact_at, read_full_at, write_all_at};
#[cfg(any(test, feature = "model"))]
pub use model::{Cut, Errno, Hits, ModelDisk};
pub use real::RealDisk;
