//! What the server and this session say: version, encoding, writes, triggers, connections, clock.

use precall_call::At;
use tokio_postgres::Client;

use super::{Finding, State};

/// The first version that precall runs on, as `server_version_num`.
const VERSION_MIN: i32 = 150_000;
/// Largest difference between the clocks of the database and of precall, in microseconds.
const CLOCK_MAX: i64 = 60_000_000;

const ABOUT: &str = "
    select current_setting('server_version'), current_setting('server_version_num')::int4,
        pg_encoding_to_char(d.encoding)::text, current_setting('DateStyle'),
        pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
        current_setting('session_replication_role'),
        current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4,
        d.datconnlimit, r.rolconnlimit, r.rolsuper,
        (select count(*) from pg_stat_activity
            where backend_type = 'client backend' and application_name not like 'precall%'),
        (extract(epoch from clock_timestamp()) * 1000000)::int8, d.datname::text, r.rolname::text
    from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = current_user";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[ABOUT];

/// What the server says of itself.
pub(super) struct Server {
    version: String,
    version_number: i32,
    encoding: String,
    date_style: String,
    is_standby: bool,
    is_read_only: bool,
    replication_role: String,
    connections: i64,
    database_limit: i32,
    role_limit: i32,
    is_superuser: bool,
    in_use: i64,
    now: At,
    database: String,
    role: String,
}

pub(super) async fn read(client: &Client) -> Result<Server, tokio_postgres::Error> {
    let row = client.query_one(ABOUT, &[]).await?;
    Ok(Server {
        version: row.try_get(0)?,
        version_number: row.try_get(1)?,
        encoding: row.try_get(2)?,
        date_style: row.try_get(3)?,
        is_standby: row.try_get(4)?,
        is_read_only: row.try_get(5)?,
        replication_role: row.try_get(6)?,
        connections: i64::from(row.try_get::<_, i32>(7)?),
        database_limit: row.try_get(8)?,
        role_limit: row.try_get(9)?,
        is_superuser: row.try_get(10)?,
        in_use: row.try_get(11)?,
        now: At(row.try_get(12)?),
        database: row.try_get(13)?,
        role: row.try_get(14)?,
    })
}

impl Server {
    pub(super) fn version(&self) -> Finding {
        let version = &self.version;
        if self.version_number < VERSION_MIN {
            return Finding::wrong(
                "database",
                format!("PostgreSQL {version} is too old: precall needs 15 or newer"),
            );
        }
        Finding::ok("database", format!("PostgreSQL {version} answers"))
    }

    pub(super) fn encoding(&self) -> Finding {
        // The client asks for UTF8 itself, and nothing in DATABASE_URL overrides that.
        let (name, has) = ("database encoding", &self.encoding);
        if has != "UTF8" {
            let words = format!(
                "the database {} has the encoding {has}, which cannot hold what people say: make a new one with \
                 `create database ... encoding 'UTF8' template template0` and name it in DATABASE_URL",
                self.database
            );
            return Finding::wrong(name, words);
        }
        Finding::ok(name, "UTF8")
    }

    pub(super) fn writable(&self) -> Finding {
        let name = "database writes";
        if self.is_standby {
            let words = "this server is a hot standby and takes no writes: name the primary in DATABASE_URL, or both \
                         servers and target_session_attrs=read-write";
            return Finding::new(name, State::Waiting, words);
        }
        if self.is_read_only {
            let words = format!(
                "default_transaction_read_only is on, and precall has to write: find out who set it (some hosts do \
                 when the disk is full), then `alter role {} reset default_transaction_read_only`, the same for the \
                 database, or remove it from DATABASE_URL",
                self.role
            );
            return Finding::new(name, State::Waiting, words);
        }
        Finding::ok(name, "allowed")
    }

    pub(super) fn triggers_run(&self) -> Finding {
        let name = "database sessions";
        if self.replication_role == "replica" {
            let words = format!(
                "session_replication_role is replica, so no trigger runs and erased data would come back: `alter role \
                 {} reset session_replication_role`, or remove it from DATABASE_URL",
                self.role
            );
            return Finding::wrong(name, words);
        }
        // `options` sets it; a pooler may leave that out.
        if !self.date_style.starts_with("ISO") {
            let words = format!(
                "DateStyle is {}, so precall cannot read the bounds of partitions and would never delete old ones: \
                 `alter role {} set datestyle = 'ISO'`, or let the pooler pass it on",
                self.date_style, self.role
            );
            return Finding::new(name, State::Warning, words);
        }
        Finding::ok(name, "triggers run, and dates are in the form that precall reads")
    }

    pub(super) fn connections(&self, needed: usize) -> Finding {
        let name = "database connections";
        let needed = i64::try_from(needed).unwrap_or(i64::MAX);
        let mut limits = vec![(self.connections, "max_connections of PostgreSQL, without the reserved ones")];
        if self.database_limit >= 0 && !self.is_superuser {
            limits.push((i64::from(self.database_limit), "the connection limit of the database"));
        }
        if self.role_limit >= 0 && !self.is_superuser {
            limits.push((i64::from(self.role_limit), "the connection limit of the role"));
        }
        let Some((limit, whose)) = limits.into_iter().min() else { return Finding::ok(name, "not limited") };
        if limit < needed {
            let words = format!(
                "{limit} are allowed ({whose}), and precall opens up to {needed}: raise the limit, or lower \
                 DATABASE_POOL_SIZE"
            );
            return Finding::wrong(name, words);
        }
        let free = self.connections.saturating_sub(self.in_use);
        if free < needed {
            let words = format!(
                "{} of {} are in use by others, and precall opens up to {needed}: close others, raise \
                 max_connections, or lower DATABASE_POOL_SIZE",
                self.in_use, self.connections
            );
            return Finding::new(name, State::Warning, words);
        }
        Finding::ok(
            name,
            format!(
                "precall opens up to {needed}; {limit} are allowed, {} are in use by others",
                self.in_use
            ),
        )
    }

    /// `now` is this machine's time.
    pub(super) fn clock(&self, now: At) -> Finding {
        let ahead = self.now.0.saturating_sub(now.0);
        if ahead.abs() > CLOCK_MAX {
            let (seconds, way) = (ahead.abs() / 1_000_000, if ahead > 0 { "ahead of" } else { "behind" });
            let words = format!(
                "the clock of the database is {seconds} s {way} this machine's: set both by NTP, or retention and \
                 consents end at wrong times"
            );
            return Finding::new("database clock", State::Warning, words);
        }
        Finding::ok("database clock", "as this machine's")
    }
}

#[cfg(test)]
mod tests;
