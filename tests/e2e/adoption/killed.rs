//! An adoption that is killed, or loses its session, leaves the old database or the new one.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio_postgres::Client;

use super::before::{Before, contents};
use super::{BASIS, samples};
use crate::program::{Program, Run};
use crate::support::{connect_to, pause};

/// With those near the commit, ten.
const MOMENTS: i64 = 7;
const PATIENCE: Duration = Duration::from_secs(90);

fn adoption(url: &str, samples: &str) -> Program {
    let run = Run::of(&["migrate", "--adopt", "--consent-basis", BASIS]).env("DATABASE_URL", url);
    run.env("DEFAULT_REGION", "US").env("LOCAL_VOICE_SAMPLES_PATH", samples).start()
}

/// Stops an adoption at the command number `at` that changes the schema, until the gate is opened.
/// The number of commands is counted by a sequence: it stays when a transaction is rolled back.
struct Gate(Client);

impl Gate {
    async fn new(url: &str, at: i64) -> Self {
        let client = connect_to(url).await;
        let planted = format!(
            "create schema gate;
            create sequence gate.commands;
            create function gate.wait() returns event_trigger language plpgsql as $$ begin
                if nextval('gate.commands') = {at} then
                    perform pg_advisory_xact_lock_shared(1);
                end if;
            end $$;
            create event trigger gate on ddl_command_end execute function gate.wait();
            select pg_advisory_lock(1)"
        );
        client.batch_execute(&planted).await.unwrap();
        Self(client)
    }

    async fn commands(&self) -> i64 {
        self.0.query_one("select last_value from gate.commands", &[]).await.unwrap().get(0)
    }

    /// Waits until the adoption stands at the gate.
    async fn reached(&self) {
        let reached = "select exists (select from pg_locks join pg_database d on d.oid = database
            where d.datname = current_database() and locktype = 'advisory' and not granted)";
        self.wait_for(reached, "the adoption does not come to the gate").await;
    }

    async fn open(&self) {
        self.0.batch_execute("select pg_advisory_unlock(1)").await.unwrap();
    }

    /// Waits until the server has no session but this one.
    async fn alone(&self) {
        let alone = "select not exists (select from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type = 'client backend')";
        self.wait_for(alone, "its session does not end").await;
    }

    async fn wait_for(&self, condition: &str, otherwise: &str) {
        let begun = Instant::now();
        while !self.0.query_one(condition, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(begun.elapsed() < PATIENCE, "{otherwise}");
            pause().await;
        }
    }

    /// Ends the adoption's session from the server's side.
    async fn end_session(&self) {
        let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and application_name = 'precall migrate'";
        assert_eq!(self.0.query_one(end, &[]).await.unwrap().get::<_, i64>(0), 1);
    }
}

#[actix::test]
async fn an_adoption_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let folder = samples();
    let folder = folder.path().to_str().unwrap();
    let before = Before::new().await;
    let url = before.copy().await;
    // A gate at no command: this adoption counts the commands.
    let gate = Gate::new(&url, 0).await;
    let old = contents(&gate.0).await;
    let planted = gate.commands().await;
    let whole = adoption(&url, folder).end().await;
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let commands = gate.commands().await - planted;
    assert!(commands > 100, "{commands} commands");
    for moment in 1..=MOMENTS {
        let url = before.copy().await;
        let gate = Gate::new(&url, planted + commands * moment / MOMENTS).await;
        let started = adoption(&url, folder);
        gate.reached().await;
        // By turns: the process is killed, and the server ends its session.
        if moment % 2 == 0 {
            started.signal(Signal::SIGKILL);
        } else {
            gate.end_session().await;
        }
        let ended = started.end().await;
        gate.open().await;
        gate.alone().await;
        assert_eq!(contents(&gate.0).await, old, "moment {moment}");
        assert_ne!(ended.code, Some(0), "moment {moment}: {}", ended.stdout);
        if moment % 3 != 0 {
            continue;
        }
        let again = adoption(&url, folder).end().await;
        assert_eq!(again.code, Some(0), "moment {moment}, once more: {}", again.stderr);
        let verified = Run::of(&["verify"]).env("DATABASE_URL", &url).end().await;
        assert_eq!(verified.code, Some(0), "moment {moment}: {}", verified.stdout);
    }
    // Near the commit it may be the old one or the new one, but nothing between.
    for pauses in 0..3 {
        let url = before.copy().await;
        let gate = Gate::new(&url, planted + commands).await;
        let started = adoption(&url, folder);
        gate.reached().await;
        gate.open().await;
        for _ in 0..pauses {
            pause().await;
        }
        started.signal(Signal::SIGKILL);
        started.end().await;
        gate.alone().await;
        let found = contents(&gate.0).await;
        if found != old {
            let verified = Run::of(&["verify"]).env("DATABASE_URL", &url).end().await;
            assert_eq!(verified.code, Some(0), "after {pauses} pauses: {}", verified.stdout);
        }
    }
}
