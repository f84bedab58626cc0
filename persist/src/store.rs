//! What a store needs beside `object_store`: durability on a local disk, one owner of a prefix, and
//! faults for tests.

mod durable_local;
#[cfg(any(test, feature = "testing"))]
mod faulty;
mod owner;
mod staging;

pub use durable_local::DurableLocalStore;
#[cfg(any(test, feature = "testing"))]
pub use faulty::{FaultyStore, PutFault};
pub use owner::{OWNER, Owner, claim, owner_of, take_over, withdraw};
