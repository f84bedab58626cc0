//! Sorting and encoding, which is never done on the threads that serve requests.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::{ThreadPool, ThreadPoolBuilder};
use types::effect::{Pool, offload};

use crate::error::Error;

/// A pool of threads for computing: as many as may run at once, and no more.
#[derive(Debug)]
pub struct CpuPool {
    pool: ThreadPool,
}

impl CpuPool {
    /// Starts `threads` threads.
    ///
    /// # Errors
    ///
    /// [`Error::CpuPool`] if the system has none to give.
    pub fn start(threads: NonZeroUsize) -> Result<Self, Error> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|number| format!("persist-cpu-{number}"))
            .build()
            .map_err(|source| Error::CpuPool { source })?;
        Ok(Self { pool })
    }
}

impl Pool for CpuPool {
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        self.pool.spawn(move || {
            // Rayon would end the process. The panic has been told by its hook, and whoever waits
            // for the work finds it lost.
            let _ = catch_unwind(AssertUnwindSafe(work));
        });
    }
}

/// Runs `work` on `pool`; a panic in it becomes an error.
///
/// # Cancel safety
///
/// Dropping the future forgets the result; work that has begun runs to its end.
pub(crate) async fn run<T, F>(pool: &dyn Pool, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    let contained = move || {
        // Nothing the closure could leave half-changed is used after a panic: it owns its input.
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(Error::panicked(panic.as_ref())))
    };
    // Without a result the process is at its end, and the pool with it.
    offload(pool, contained).await.unwrap_or(Err(Error::Closed))
}

#[cfg(test)]
mod tests {
    use types::effect::{InPlace, Lost};

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_work_and_not_the_pool() {
        let pool = CpuPool::start(NonZeroUsize::MIN).expect("a thread starts");
        let number = 7;
        let panicked = run::<(), _>(&pool, move || panic!("no {number}")).await;
        match panicked {
            Err(Error::Panicked { message }) => assert_eq!(message, "no 7"),
            other => panic!("{other:?}"),
        }
        let name = || Ok(std::thread::current().name().map(str::to_owned));
        let name = run(&pool, name).await.expect("the pool lives");
        assert_eq!(name.as_deref(), Some("persist-cpu-0"));
    }

    #[tokio::test]
    async fn work_that_lets_a_panic_out_is_lost_and_the_pool_is_not() {
        let pool = CpuPool::start(NonZeroUsize::MIN).expect("a thread starts");
        let number = 7;
        assert_eq!(offload::<()>(&pool, move || panic!("no {number}")).await, Err(Lost));
        assert_eq!(offload(&pool, move || number).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_on_the_callers_own_thread_is_an_error_too() {
        let number = 7;
        let panicked = run::<(), _>(&InPlace, move || panic!("no {number}")).await;
        assert!(matches!(panicked, Err(Error::Panicked { .. })), "{panicked:?}");
    }
}
