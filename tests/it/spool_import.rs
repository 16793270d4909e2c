//! What an earlier start left in its spool is imported while calls are taken.

use serde_json::Value;
use uuid::Uuid;

use crate::support::database_link::{DatabaseLink, Link};
use crate::support::{Plan, World, caller, connect_to, database, ended, incoming, until};

async fn taken(world: &World, body: &Value, expected: &str) -> Uuid {
    let (status, answer) = world.post_3cx(body).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some(expected)), "{answer}");
    answer["call_id"].as_str().unwrap().parse().unwrap()
}

async fn health(world: &World, field: &str) -> Value {
    world.get("/health").await.1[field].clone()
}

#[actix::test]
async fn calls_are_taken_while_the_spool_of_the_last_start_is_imported() {
    let database = database();
    let link = DatabaseLink::to(database.url());
    let plan = Plan::default().conversation_ms(60_000).env("BUDGET_CALLER_CALLS_PER_HOUR", "1");
    let mut world = World::at(link.url().to_owned(), plan).await;
    // In an outage one call comes and ends, and another one goes on.
    link.set(Link::Closed);
    until("the outage is noticed", || async { health(&world, "database").await == "error" }).await;
    let over = taken(&world, &incoming("pbx-1", &caller(1)), "accepted").await;
    assert_eq!(taken(&world, &ended("pbx-1"), "ended").await, over);
    until("the call is over", || async { health(&world, "live_calls").await == 0 }).await;
    let live = taken(&world, &incoming("pbx-2", &caller(2)), "accepted").await;
    until("the call is greeted", || async { world.dials("greeting").len() == 2 }).await;

    // The next start can write everything but that call, whose row another session holds.
    world = world.restart_unreached().await;
    let holder = connect_to(database.url()).await;
    let hold = format!("begin; insert into call_log (id, status) values ('{over}', 'initiated')");
    holder.batch_execute(&hold).await.unwrap();
    link.set(Link::Open);
    world.ready().await;
    world.reconnect().await;
    assert_eq!(health(&world, "spool").await, "waiting");
    let resumed = "select from call_events where call = $1 and event ->> 'kind' = 'resumed'";
    world.until_row("the live call goes on", resumed, &[&live]).await;
    let new = world.ring("pbx-3", &caller(3)).await;
    world.until_row("a new call is stored", "select from call_log where id = $1", &[&new]).await;
    // What waits is known all the same: the call itself, and that its caller has used a budget.
    assert_eq!(taken(&world, &incoming("pbx-1", &caller(1)), "duplicate").await, over);
    let (_, refused) = world.post_3cx(&incoming("pbx-4", &caller(1))).await;
    assert_eq!(refused["status"], "rejected", "{refused}");
    assert_eq!(refused["message"], "the budget of calls is used up (budget)", "{refused}");
    assert_eq!(world.count("select count(*) from call_events where call = $1", &[&over]).await, 0);
    assert_eq!(health(&world, "spool").await, "waiting");

    holder.batch_execute("rollback").await.unwrap();
    until("everything is imported", || async { health(&world, "spool").await == "ok" }).await;
    let row = world.released(over).await;
    assert_eq!(row.get::<_, String>("caller_id"), caller(1));
    world.stop().await;
}
