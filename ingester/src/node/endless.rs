//! Tasks that a node cannot do without.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::Failure;
use crate::error::Error;

/// Runs tasks that end only with the node: one that ends before, by a panic, is a failure of the
/// node, for without it memory or the log would fill up in silence.
#[derive(Debug)]
pub(super) struct Endless(pub(super) Arc<Failure>);

impl Endless {
    pub(super) fn run(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> AbortOnDropHandle<()> {
        let failure = Arc::clone(&self.0);
        let running = task(future);
        task(async move {
            let message = match running.await {
                Ok(()) => "it ended".to_owned(),
                Err(error) => error.to_string(),
            };
            failure.send_replace(Some(Arc::new(Error::Task { task: name, message })));
        })
    }
}

/// A task that ends when its handle is dropped.
pub(super) fn task(future: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(future))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_task_is_a_failure_of_the_node() {
        let failure: Arc<Failure> = Arc::new(watch::Sender::new(None));
        let endless = Endless(Arc::clone(&failure));
        let _waits = endless.run("wait", std::future::pending());
        let _panics = endless.run("go wrong", async { panic!("the test asked for it") });
        let mut told = failure.subscribe();
        let error = told.wait_for(Option::is_some).await.expect("the sender is here").clone();
        let text = error.expect("was waited for").to_string();
        assert!(text.starts_with("the task that should go wrong ended: "), "{text}");
    }
}
