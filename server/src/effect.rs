//! The real effects. Everything below the binary is given these, so that tests can give others.

mod clock;
mod pool;
mod randomness;

pub(crate) use clock::SystemClock;
pub(crate) use pool::BlockingPool;
pub(crate) use randomness::OsRandomness;
