//! The two connection pools of the process.

use precall_store::connect;
use precall_store::connect::{ConnectError, DatabaseUrl, Limits};

/// `DATABASE_POOL_SIZE` connections: one for writing events, the rest for everything else.
pub(super) struct Pools {
    pub(super) reading: deadpool_postgres::Pool,
    pub(super) writing: deadpool_postgres::Pool,
}

impl Pools {
    pub(super) fn new(url: &DatabaseUrl, size: usize) -> Result<Self, ConnectError> {
        let limits = |size| Limits { size, ..Limits::default() };
        Ok(Self {
            reading: connect::pool(url, "precall", limits(size.saturating_sub(1).max(1)))?,
            writing: connect::pool(url, "precall events", limits(1))?,
        })
    }
}
