//! Threads for closures, as an effect: what blocks or computes stays off those that serve requests.

use std::fmt::Debug;

use futures::channel::oneshot;

/// Runs closures, each to its end, somewhere else.
pub trait Pool: Debug + Send + Sync {
    /// Has `work` run. It must not be dropped unrun while the pool lives.
    fn spawn(&self, work: Box<dyn FnOnce() + Send>);
}

/// The closure ended without a result: it panicked, or the pool is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// Runs `work` on `pool` and gives its result.
///
/// # Errors
///
/// [`Lost`] if there is none.
///
/// # Cancel safety
///
/// Dropping the future forgets the result; work that has begun runs to its end.
pub async fn offload<T: Send + 'static>(
    pool: &dyn Pool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lost> {
    let (done, result) = oneshot::channel();
    pool.spawn(Box::new(move || {
        // Nobody may want to know any more.
        let _ = done.send(work());
    }));
    result.await.map_err(|oneshot::Canceled| Lost)
}

/// The caller's own thread: for tests and simulations, where order matters and blocking does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct InPlace;

impl Pool for InPlace {
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}
