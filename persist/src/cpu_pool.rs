//! The threads that sort and encode, which are never those that serve requests.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::error::Error;

/// A pool of threads for computing.
#[derive(Debug)]
pub(crate) struct CpuPool {
    pool: ThreadPool,
}

impl CpuPool {
    /// Starts `threads` threads.
    pub(crate) fn start(threads: NonZeroUsize) -> Result<Self, Error> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|number| format!("persist-cpu-{number}"))
            .build()
            .map_err(|source| Error::CpuPool { source })?;
        Ok(Self { pool })
    }

    /// Runs `work` on the pool; a panic in it becomes an error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the result; work that has begun runs to its end.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        self.pool.spawn(move || {
            // Nothing the closure could leave half-changed is used after a panic: it owns its input.
            let outcome = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|panic| Err(Error::panicked(panic.as_ref())));
            // Nobody waits any more if the job was cut off at the end of the process.
            let _ = done.send(outcome);
        });
        result.await.unwrap_or(Err(Error::Closed))
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_work_and_not_the_pool() {
        let pool = CpuPool::start(NonZeroUsize::MIN).expect("a thread starts");
        let number = 7;
        let panicked = pool.run::<(), _>(move || panic!("no {number}")).await;
        match panicked {
            Err(Error::Panicked { message }) => assert_eq!(message, "no 7"),
            other => panic!("{other:?}"),
        }
        let name = pool
            .run(|| Ok(std::thread::current().name().map(str::to_owned)))
            .await
            .expect("the pool lives");
        assert_eq!(name.as_deref(), Some("persist-cpu-0"));
    }
}
