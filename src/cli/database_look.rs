//! Looks at the database of the configuration, for `check` and for the start of `serve`.

use std::time::Duration;

use precall_base::clock;
use precall_store::connect::fault::Fault;
use precall_store::connect::{self, Limits};
use precall_store::readiness::{self, Finding, Needs, State};
use precall_store::schema::embedded;

use crate::config::{Config, DatabaseSource};

/// Sessions of one look: one asks, three watch each other.
const SESSIONS: usize = 4;
/// How long the start of `serve` waits for a database that does not answer. Then the port opens, not ready.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// All findings. None about an embedded database: precall made it.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let DatabaseSource::External(url) = &config.database.source else { return Vec::new() };
    let limits = Limits { size: SESSIONS, create: CONNECT_WITHIN, wait: CONNECT_WITHIN, ..Limits::default() };
    let pool = match connect::pool(url, "precall check", limits) {
        Ok(pool) => pool,
        Err(error) => {
            let words = Fault::of_connect(&error).words;
            return vec![Finding { name: "database", state: State::Wrong, words }];
        }
    };
    let runner = embedded::runner();
    // Both pools, the lock and a migration.
    let connections = config.database.pool_size.saturating_add(2);
    let needs = Needs { migrations: runner.get_migrations(), connections, now: clock::wall() };
    readiness::examine(&pool, needs).await
}

/// What has to be changed before precall can start. A database that is away is not wrong.
pub(super) async fn wrong(config: &Config) -> Vec<Finding> {
    findings(config).await.into_iter().filter(|finding| finding.state == State::Wrong).collect()
}
