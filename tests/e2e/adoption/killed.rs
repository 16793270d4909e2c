//! An adoption that is killed, or loses its session, leaves the old database or the new one.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio_postgres::Client;

use super::before::{Before, contents};
use super::{BASIS, samples};
use crate::program::{Program, Run};
use crate::support::{connect_to, pause};

const MOMENTS: u32 = 10;

fn adoption(url: &str, samples: &str) -> Program {
    let run = Run::of(&["migrate", "--adopt", "--consent-basis", BASIS]).env("DATABASE_URL", url);
    run.env("DEFAULT_REGION", "US").env("LOCAL_VOICE_SAMPLES_PATH", samples).start()
}

/// Waits until an adoption has begun to change the tables: it keeps everybody else out.
async fn shut(client: &Client) {
    let begun = Instant::now();
    // A copy has the numbers of its template.
    let shut = "select exists (select from pg_locks join pg_database d on d.oid = database
        where d.datname = current_database() and relation = 'call_log'::regclass
            and mode = 'AccessExclusiveLock' and granted)";
    while !client.query_one(shut, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the adoption does not begin");
        pause().await;
    }
}

#[actix::test]
async fn an_adoption_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let folder = samples();
    let folder = folder.path().to_str().unwrap();
    let before = Before::new().await;
    let url = before.copy().await;
    let old = contents(&connect_to(&url).await).await;
    let whole = adoption(&url, folder);
    shut(&connect_to(&url).await).await;
    let begun = Instant::now();
    let whole = whole.end().await;
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let took = begun.elapsed();
    let is_new = |found: &[String]| found.iter().any(|item| item.starts_with("call_events"));
    let (mut left_old, mut cut) = (0, 0);
    for moment in 1..=MOMENTS {
        let url = before.copy().await;
        let client = connect_to(&url).await;
        let started = adoption(&url, folder);
        shut(&client).await;
        let begun = Instant::now();
        while begun.elapsed() < took * (moment - 1) / MOMENTS {
            pause().await;
        }
        // By turns: the process is killed, and the server ends its session.
        if moment % 2 == 0 {
            started.signal(Signal::SIGKILL);
        } else {
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and application_name = 'precall migrate'";
            cut += client.query_one(end, &[]).await.unwrap().get::<_, i64>(0);
        }
        let ended = started.end().await;
        let others = "select count(*) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
        while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(begun.elapsed() < took + Duration::from_secs(60), "its session does not end");
            pause().await;
        }
        let found = contents(&client).await;
        if is_new(&found) {
            continue;
        }
        assert_eq!(found, old, "moment {moment}: neither old nor new");
        assert_ne!(ended.code, Some(0), "moment {moment}: {}", ended.stdout);
        left_old += 1;
        if moment % 4 != 0 {
            continue;
        }
        let again = adoption(&url, folder).end().await;
        assert_eq!(again.code, Some(0), "moment {moment}, once more: {}", again.stderr);
        let verified = Run::of(&["verify"]).env("DATABASE_URL", &url).end().await;
        assert_eq!(verified.code, Some(0), "moment {moment}: {}", verified.stdout);
    }
    assert!(left_old >= 5 && cut > 0, "{left_old} adoptions were cut in the middle, {cut} sessions ended");
}
