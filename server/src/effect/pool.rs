//! The runtime's threads for work that blocks.

use tokio::runtime::Handle;
use types::effect::Pool;

/// Runs closures on the threads that the runtime has for what blocks, started as they are needed.
#[derive(Clone, Debug)]
pub(crate) struct BlockingPool {
    runtime: Handle,
}

impl BlockingPool {
    /// The pool of the runtime that this is called on.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn current() -> Self {
        Self { runtime: Handle::current() }
    }
}

impl Pool for BlockingPool {
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        // Whoever waits for the work has a channel of its own; a panic ends at the task.
        drop(self.runtime.spawn_blocking(work));
    }
}

#[cfg(test)]
mod tests {
    use types::effect::{Lost, offload};

    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_a_panic_ends_it_alone() {
        let pool = BlockingPool::current();
        let here = std::thread::current().id();
        let there = offload(&pool, || std::thread::current().id()).await;
        assert!(there.is_ok_and(|there| there != here));
        let number = 7;
        assert_eq!(offload::<()>(&pool, move || panic!("no {number}")).await, Err(Lost));
        assert_eq!(offload(&pool, move || number).await, Ok(7));
    }
}
