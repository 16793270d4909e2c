//! History and statistics from a read replica, with a real one.

use crate::page_session::Session;
use crate::support::cluster::Cluster;
use crate::support::log_lines::LogLines;
use crate::support::{KEY, Plan, World, connect_to, until};

const USED: &str = "history and statistics are read from the replica";
const NOT_USED: &str = "history and statistics are not read from the replica";

/// How many calls each of the reads of history shows: the list of the API, the statistics, the page, the table to
/// download.
async fn calls_shown(world: &World, session: &Session) -> [usize; 4] {
    let (status, list) = world.get("/api/v1/calls").await;
    let (counted, statistics) = world.get("/api/v1/statistics").await;
    assert_eq!((status, counted), (200, 200), "{list} {statistics}");
    let page = session.page(world, "/calls").await;
    let table = session.get(world, "/calls.csv").await;
    assert_eq!(table.status, 200);
    let listed = list["items"].as_array().unwrap().len();
    let total = usize::try_from(statistics["total_calls"].as_u64().unwrap()).unwrap();
    [listed, total, page.matches("<tr data-href=\"/calls/").count(), table.body.lines().count() - 1]
}

async fn problem(world: &World) -> Option<String> {
    let (_, health) = world.get("/health").await;
    let problems = health["problems"].as_array().unwrap();
    let of_replica = problems.iter().find(|problem| problem["area"] == "replica");
    of_replica.map(|problem| problem["words"].as_str().unwrap_or_default().to_owned())
}

async fn a_whole_call(world: &World, n: u32) {
    let caller = world.known_caller(n).await;
    let call = world.ring(&format!("pbx-{n}"), &caller).await;
    world.completed(call).await;
}

#[actix::test]
async fn history_comes_from_the_replica_while_that_is_current() {
    let mut cluster = Cluster::new().await;
    let mut standby = cluster.replica().await;
    let lines = LogLines::default();
    let plan = Plan { log: lines.logger(), ..Plan::default() };
    let plan = plan.env("DATABASE_READ_URL", &standby.url("postgres"));
    let world = World::at(cluster.url("postgres"), plan).await;
    until("the replica is read from", || async { lines.count(USED) == 1 }).await;
    let session = Session::begin(&world, KEY).await;
    a_whole_call(&world, 1).await;
    until("the replica has the call", || async { calls_shown(&world, &session).await == [1; 4] }).await;

    // What the replica lacks is not shown: it is the replica that is read from.
    let replica = connect_to(&standby.url("postgres")).await;
    replica.batch_execute("select pg_wal_replay_pause()").await.unwrap();
    a_whole_call(&world, 2).await;
    assert_eq!(calls_shown(&world, &session).await, [1; 4]);
    // One call is always read from the database.
    assert_eq!(world.get("/api/v1/calls/pbx-2").await.0, 200);

    // Until it lacks too much.
    until("the replica is too far behind", || async { problem(&world).await.is_some() }).await;
    let words = problem(&world).await.unwrap();
    assert!(words.contains("the replica is") && words.contains("s behind"), "{words}");
    assert_eq!(calls_shown(&world, &session).await, [2; 4]);
    replica.batch_execute("select pg_wal_replay_resume()").await.unwrap();
    until("the replica is read from again", || async { lines.count(USED) == 2 }).await;
    assert_eq!((problem(&world).await, calls_shown(&world, &session).await), (None, [2; 4]));

    // It goes away: no read fails.
    standby.stop().await;
    assert_eq!(calls_shown(&world, &session).await, [2; 4]);
    until("it is known to be away", || async { lines.count(NOT_USED) == 2 }).await;
    assert_eq!(calls_shown(&world, &session).await, [2; 4]);
    assert_eq!(world.get("/health/ready").await.0, 200, "calls do not need it");
    world.stop().await;
}

#[actix::test]
async fn a_server_that_is_no_replica_is_not_read_from() {
    let (cluster, other) = (Cluster::new().await, Cluster::new().await);
    for (url, words) in
        [(cluster.url("postgres"), "no streaming replica"), (other.url("postgres"), "another database")]
    {
        let plan = Plan::default().env("DATABASE_READ_URL", &url);
        let world = World::at(cluster.url("postgres"), plan).await;
        until("it is a problem", || async { problem(&world).await.is_some() }).await;
        let problem = problem(&world).await.unwrap();
        assert!(problem.contains(words), "{problem}");
        assert_eq!(world.get("/api/v1/calls").await.0, 200);
        world.stop().await;
    }
}
