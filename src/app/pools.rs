//! The connection pools of the process.

use precall_store::connect;
use precall_store::connect::{ConnectError, DatabaseUrl, Limits};
use precall_store::reads::replica::{ReadPools, Replica};

use crate::config::Database;

/// `DATABASE_POOL_SIZE` connections: one for writing events, the rest for everything else.
pub(super) struct Pools {
    pub(super) reading: deadpool_postgres::Pool,
    pub(super) writing: deadpool_postgres::Pool,
    /// As many as for reading, at the read replica.
    pub(super) replica: Option<Replica>,
}

impl Pools {
    /// The pools of the database at `url`, and of the replica that is configured.
    pub(super) fn new(url: &DatabaseUrl, database: &Database) -> Result<Self, ConnectError> {
        let limits = |size| Limits { size, ..Limits::default() };
        let readers = limits(database.pool_size.saturating_sub(1).max(1));
        let replica = database.replica.as_deref();
        let replica = replica.map(|url| connect::pool(url, "precall history", readers)).transpose()?;
        let reading = connect::pool(url, "precall", readers)?;
        let replica = replica.map(|replica| Replica::new(reading.clone(), replica));
        Ok(Self { writing: connect::pool(url, "precall events", limits(1))?, reading, replica })
    }

    /// What the API reads from.
    pub(super) fn reads(&self) -> ReadPools {
        ReadPools { primary: self.reading.clone(), replica: self.replica.clone() }
    }
}
