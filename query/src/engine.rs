//! The engine: takes a request, answers with a stream.

mod answer;
mod deadline;
mod memory;
mod nesting;
mod running;
mod session;
mod statement;

use std::fmt;
use std::sync::Arc;

use datafusion::common::ParamValues;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::execute_stream;
use types::CatalogVersion;

use crate::config::{Config, Deps};
use crate::error::Error;
use crate::request::{Answer, Request};
use crate::view::View;
use deadline::Deadline;
use memory::QueryMemory;
pub(crate) use running::{RunningQueries, RunningQuery};

/// Answers queries. Cheap to clone; all clones share their limits.
#[derive(Clone)]
pub struct QueryEngine {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    deps: Deps,
    /// What all queries' sessions begin as.
    session: SessionState,
    running: Arc<RunningQueries>,
}

impl QueryEngine {
    /// An engine with limits of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if DataFusion cannot be set up.
    pub fn new(config: Config, deps: Deps) -> Result<Self, Error> {
        let memory = QueryMemory::new(&deps.memory, config.memory_limit_bytes);
        let session = session::prototype(&config, Arc::new(memory))?;
        let running = RunningQueries::new(&config, &deps);
        let shared = Shared { config, deps, session, running: Arc::new(running) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What the engine was told.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// What the engine works with.
    pub fn deps(&self) -> &Deps {
        &self.shared.deps
    }

    /// Where memory for an answer is asked for: the share that all queries have.
    pub(crate) fn memory_pool(&self) -> &Arc<dyn MemoryPool> {
        &self.shared.session.runtime_env().memory_pool
    }

    /// Takes one of the permits under which queries run, for a read that is no SQL. `text` is what
    /// `system.queries` shows of it.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyQueries`] at once if none is free.
    pub(crate) fn admit(
        &self,
        database: &types::DatabaseName,
        text: &str,
    ) -> Result<RunningQuery, Error> {
        self.shared.running.admit(database, text)
    }

    /// Starts a query. The answer's stream holds a permit, the version of the files that it reads,
    /// and the deadline, until it ends or is dropped.
    ///
    /// # Errors
    ///
    /// [`Error`], if the query fails before its first row.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the query.
    pub async fn query(&self, request: Request) -> Result<Answer, Error> {
        let running = self.admit(&request.database, &request.sql)?;
        let deadline = Deadline::after(self.shared.config.query_timeout);
        let shared = Arc::clone(&self.shared);
        // A task of its own: a panic ends it and nothing else.
        let planning = SpawnedTask::spawn(async move { shared.start(request).await });
        let planned = deadline.limit(planning).await?;
        let (stream, version) = planned.map_err(answer::ended)??;
        Ok(Answer {
            schema: stream.schema(),
            stream: answer::drive(stream, deadline, running),
            version,
        })
    }
}

impl Shared {
    /// Plans a query and starts its streams. What the plan needs of the view it holds itself: the
    /// view is gone when this returns, so that the buffer keeps nothing for scans that never come.
    async fn start(
        &self,
        request: Request,
    ) -> Result<(SendableRecordBatchStream, CatalogVersion), Error> {
        let position = request.position.map(|at| (at, self.config.position_timeout));
        let view = Arc::new(View::take(&self.deps, &request.database, position).await?);
        let session = session::of_query(&self.session, &view, &self.running, &self.deps);
        let mut plan = statement::plan(&request.sql, &session).await?;
        if !request.params.is_empty() {
            let params: Vec<_> = request.params.into_iter().collect();
            plan = plan.with_param_values(ParamValues::from(params))?;
        }
        let plan = session.create_physical_plan(&plan).await?;
        Ok((execute_stream(plan, session.task_ctx())?, view.version))
    }
}

impl fmt::Debug for QueryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryEngine")
            .field("config", &self.shared.config)
            .field("running", &self.shared.running)
            .finish_non_exhaustive()
    }
}
