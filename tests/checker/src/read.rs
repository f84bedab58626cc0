//! Readers: how rows come out of a server, and out of its files without it.

mod arrow_rows;
mod catalog_file;
mod files;
mod flight;
mod json_rows;

use arrow::error::ArrowError;
use arrow_flight::error::FlightError;
use parquet::errors::ParquetError;
use tonic::Code;

pub use arrow_rows::sql;
pub use catalog_file::{CATALOG_SQL, CatalogFile, Kind, catalog, directory};
pub use files::{FileFault, Stored, files};
pub use flight::flight;
pub use json_rows::json;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server cannot be reached.
    #[error("no connection: {0}")]
    Connection(#[from] tonic::transport::Error),
    /// The server answered with an error, or not to the end.
    #[error("Flight: {0}")]
    Flight(#[from] FlightError),
    /// Something is not Arrow.
    #[error("Arrow: {0}")]
    Arrow(#[from] ArrowError),
    /// Something is not Parquet.
    #[error("Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The object store failed.
    #[error("object store: {0}")]
    Store(#[from] object_store::Error),
    /// An object's name is none.
    #[error("object name: {0}")]
    Path(#[from] object_store::path::Error),
    /// It is there, and not what it should be.
    #[error("{0}")]
    Shape(String),
}

impl Error {
    /// True if the server says that what it has stored is damaged.
    pub fn is_damage(&self) -> bool {
        let Self::Flight(FlightError::Tonic(status)) = self else { return false };
        status.code() == Code::DataLoss
    }

    /// True if the server, or the connection to it, failed: not what it answered.
    pub fn is_of_server(&self) -> bool {
        matches!(self, Self::Connection(_) | Self::Flight(_))
    }
}
