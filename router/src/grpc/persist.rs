//! `forebay.v1.PersistService`.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Response, Status};
use types::{DatabaseName, TableName};

use super::failure;
use crate::edge::Edge;
use crate::error::Error;
use crate::proto::persist_service_server::PersistService;
use crate::proto::{PersistRequest, PersistResponse};

/// How long is waited where the request does not say.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Has rows persisted on demand.
#[derive(Clone, Debug)]
pub struct PersistDoor {
    edge: Arc<Edge>,
}

impl PersistDoor {
    pub(super) const fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }
}

#[tonic::async_trait]
impl PersistService for PersistDoor {
    async fn persist(
        &self,
        request: Request<PersistRequest>,
    ) -> Result<Response<PersistResponse>, Status> {
        let demand = Demand::read(request.get_ref())
            .map_err(|error| failure::of_error(&self.edge, &error))?;
        let persist = &self.edge.deps().persist;
        persist
            .persist_now(&demand.database, demand.table.as_ref(), demand.timeout)
            .await
            .map_err(|error| failure::of_persist(&error))?;
        Ok(Response::new(PersistResponse {}))
    }
}

/// A request that was understood.
#[derive(Debug)]
struct Demand {
    database: DatabaseName,
    table: Option<TableName>,
    timeout: Duration,
}

impl Demand {
    fn read(request: &PersistRequest) -> Result<Self, Error> {
        let timeout = match &request.timeout {
            None => TIMEOUT,
            Some(timeout) => Duration::try_from(*timeout)
                .map_err(|_| Error::Parameter("the timeout must not be negative".to_owned()))?,
        };
        Ok(Self {
            database: DatabaseName::new(&request.database)?,
            table: request.table.as_deref().map(TableName::new).transpose()?,
            timeout,
        })
    }
}
