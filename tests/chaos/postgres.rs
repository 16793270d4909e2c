//! The database and what can happen to it.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use precall_test_support::harness::usage;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::support::cluster::Cluster;
use crate::support::{connect_to, lasting};
use crate::table::DatabaseFault;

/// How often the sessions are ended.
const ENDED_EVERY: Duration = Duration::from_millis(300);

/// As a full disk answers.
const FULL: &str = "
    create or replace function disk_full() returns trigger language plpgsql as $$
        begin raise exception 'no space left on device' using errcode = '53100'; end $$;
    set lock_timeout = '3s';
    create or replace trigger disk_full before insert on call_events execute function disk_full();
    create or replace trigger disk_full before insert on voice_events execute function disk_full();
    create or replace trigger disk_full before insert on webhooks execute function disk_full();";
const FREED: &str = "
    drop trigger if exists disk_full on call_events;
    drop trigger if exists disk_full on voice_events;
    drop trigger if exists disk_full on webhooks;
    drop function if exists disk_full();";
const END_SESSIONS: &str = "
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";

/// The database, and the fault that it has.
pub struct Postgres {
    cluster: Cluster,
    url: String,
    frozen: Vec<Pid>,
    holder: Option<Client>,
    ending: Option<JoinHandle<()>>,
}

impl Postgres {
    pub async fn start() -> Self {
        let cluster = Cluster::new().await;
        let url = cluster.url("postgres");
        Self { cluster, url, frozen: Vec::new(), holder: None, ending: None }
    }

    /// The database, reached without a proxy.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The server's socket.
    pub fn socket(&self) -> PathBuf {
        crate::site::socket_of(&self.url)
    }

    pub async fn begin(&mut self, fault: DatabaseFault) {
        match fault {
            DatabaseFault::Killed => {
                kill(self.postmaster(), Signal::SIGKILL).unwrap();
                // Reaps it. The other processes end when they notice.
                self.cluster.stop().await;
            }
            DatabaseFault::Stopped => self.cluster.stop().await,
            DatabaseFault::Frozen => self.freeze(),
            DatabaseFault::Locked => {
                let client = connect_to(&self.url).await;
                let lock = "set lock_timeout = '3s'; begin; lock table call_events in access exclusive mode";
                client.batch_execute(lock).await.unwrap();
                self.holder = Some(client);
            }
            DatabaseFault::ReadOnly => {
                self.execute("alter system set default_transaction_read_only = on").await
            }
            DatabaseFault::Full => connect_to(&self.url).await.batch_execute(FULL).await.unwrap(),
            DatabaseFault::SessionsEnded => {
                let client = connect_to(&self.url).await;
                self.ending = Some(actix::spawn(async move {
                    while client.execute(END_SESSIONS, &[]).await.is_ok() {
                        lasting(ENDED_EVERY).await;
                    }
                }));
            }
        }
    }

    pub async fn end(&mut self, fault: DatabaseFault) {
        match fault {
            DatabaseFault::Killed | DatabaseFault::Stopped => self.cluster.start().await,
            DatabaseFault::Frozen => self.thaw(),
            // The server rolls back when it sees that the session is gone.
            DatabaseFault::Locked => self.holder = None,
            DatabaseFault::ReadOnly => self.execute("alter system reset default_transaction_read_only").await,
            DatabaseFault::Full => connect_to(&self.url).await.batch_execute(FREED).await.unwrap(),
            DatabaseFault::SessionsEnded => {
                if let Some(ending) = self.ending.take() {
                    ending.abort();
                }
            }
        }
    }

    pub async fn stop(mut self) {
        self.cluster.stop().await;
    }

    async fn execute(&self, setting: &str) {
        let client = connect_to(&self.url).await;
        client.batch_execute("set default_transaction_read_only = off").await.unwrap();
        client.batch_execute(setting).await.unwrap();
        client.batch_execute("select pg_reload_conf()").await.unwrap();
    }

    fn postmaster(&self) -> Pid {
        let pid = usage::postmaster(&self.cluster.directory().join("data")).unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap())
    }

    /// The postmaster first: it starts no more processes.
    fn freeze(&mut self) {
        let postmaster = self.postmaster();
        kill(postmaster, Signal::SIGSTOP).unwrap();
        self.frozen = vec![postmaster];
        for child in usage::children(u32::try_from(postmaster.as_raw()).unwrap()).unwrap() {
            let child = Pid::from_raw(i32::try_from(child).unwrap());
            // It may have ended meanwhile; a stopped parent has not reaped it, so its id is no other process's.
            if kill(child, Signal::SIGSTOP).is_ok() {
                self.frozen.push(child);
            }
        }
    }

    fn thaw(&mut self) {
        for pid in self.frozen.drain(..).rev() {
            let _ended = kill(pid, Signal::SIGCONT);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A test that failed while it was frozen must be able to stop it.
        self.thaw();
    }
}
