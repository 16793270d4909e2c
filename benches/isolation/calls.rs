//! Panics of the service under load: at every point of callback calls, of live legs, and in an HTTP worker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use precall_actors::runtime::fault_injection::{Faults, Point};
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::client::{Connection, webhook};
use precall_test_support::harness::load::{Closed, all_say, closed_loop};
use precall_test_support::harness::numbers::{median, micros, percentile};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::outgoing;
use precall_test_support::harness::{Mode, Outcome};
use precall_test_support::{PbxPlan, PbxWorld, Plan, SECRET, World, consent, incoming, write_sample};
use serde_json::json;
use uuid::Uuid;

use crate::{GOAL_US, panics};

const CONNECTIONS: usize = 8;
/// Of the greeting, and again of the agent: state changes arrive meanwhile.
const CONVERSATION: Duration = Duration::from_secs(3);
const WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SAMPLE: &str = "bench.wav";

fn is_of_live_leg(point: Point) -> bool {
    matches!(point, Point::PlayerStarts | Point::PlayerHears)
}

fn is_of_clone_job(point: Point) -> bool {
    matches!(point, Point::JobStarts | Point::JobBeforeUpload | Point::JobAnswered)
}

/// The same calls twice: without panics, and with panics at every point of a callback call.
pub(crate) async fn callback_calls(mode: Mode) -> Outcome<()> {
    // A call panics once at most: a second panic ends it.
    let (calls, times, changes) = mode.pick((300, 15, 5_000), (45, 2, 600));
    let faults = Faults::injectable();
    let plan =
        Plan { faults: faults.clone(), conversation: CONVERSATION, log: panics::log(), ..Plan::default() };
    let limits =
        ["CALLBACK_LIMIT_CONCURRENT", "CALLBACK_LIMIT_PER_HOUR", "MAX_LIVE_CALLS", "SOURCE_LIMIT_PER_SECOND"];
    let plan = limits.into_iter().fold(plan, |plan, name| plan.env(name, "100000"));
    let world = World::with(plan.env("CLONE_MAX_WAIT_SECONDS", "2").env("CLONE_CONCURRENCY", "16")).await;
    let mut callers = Callers::new()?;
    let (first, second) = (callers.take(calls)?, callers.take(calls)?);
    known(&world, &[first.clone(), second.clone()].concat()).await?;
    let mut table = Table::new(&["", "calls", "panics", "messages/s", "ratio", "p50 us", "p99 us", "lost"]);
    let without = Load::run(&world, "without", &first, changes).await?;
    without.is_whole(&world, &faults).await?;
    table.row(without.row("baseline: without panics", 0, &without));
    let points: Vec<Point> = Point::ALL.into_iter().filter(|point| !is_of_live_leg(*point)).collect();
    for point in points.repeat(times) {
        faults.arm(point, None, 1);
    }
    let with = Load::run(&world, "with", &second, changes).await?;
    with.is_whole(&world, &faults).await?;
    let met = faults.met();
    if met.len() != points.len() * times {
        let missed: Vec<&Point> =
            points.iter().filter(|point| met.iter().filter(|hit| hit.0 == **point).count() < times).collect();
        return Err(format!("no call reached {missed:?} often enough").into());
    }
    table.row(with.row("with panics at every point", met.len(), &without));
    table.print(&format!("callback calls with {changes} state changes; {CONNECTIONS} connections"));
    http_worker(&world, mode.pick(200, 10)).await?;
    world.stop().await;
    Ok(())
}

/// Gives each of these callers a sample that may be cloned.
async fn known(world: &World, callers: &[String]) -> Outcome<()> {
    let sample = world.samples().join(SAMPLE);
    write_sample(&sample, 1);
    let map = "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name)
        select n, $2, 'Bench' from unnest($1::text[]) n";
    world.client.execute(map, &[&callers, &SAMPLE]).await?;
    let speaker = consent(&world.url, callers.first().ok_or("no callers")?, &sample).await;
    world.client.execute("update caller_voice_mapping set speaker = $1", &[&speaker]).await?;
    Ok(())
}

/// Calls, and state changes of them while they are live.
struct Load {
    name: &'static str,
    calls: usize,
    changed: Closed,
}

impl Load {
    /// Rings, sends all changes in turn, and waits until all calls are over.
    async fn run(world: &World, name: &'static str, callers: &[String], changes: usize) -> Outcome<Self> {
        let (address, calls) = (world.app.address(), callers.len());
        let id = |n: usize| format!("{name}-{}", n % calls);
        let ring = callers.iter().enumerate().map(|(n, caller)| webhook(SECRET, &incoming(&id(n), caller)));
        let rung = closed_loop(address, CONNECTIONS, ring.collect()).await?;
        all_say(&rung.exchanges, "accepted")?;
        let change = |n: usize| {
            let state = format!("talking {n}");
            webhook(SECRET, &json!({ "event_type": "CallStateChanged", "call_id": id(n), "state": state }))
        };
        let changed = closed_loop(address, CONNECTIONS, (0..changes).map(change).collect()).await?;
        if let Some(refused) = changed.exchanges.iter().find(|exchange| exchange.answer.status != 200) {
            return Err(format!("a change was not taken: {:?}", refused.answer.json()).into());
        }
        let load = Self { name, calls, changed };
        let open = "select count(*) from call_log where threecx_call_id like $1 and state <> 'released'";
        load.until_none(world, open, &[], "calls are not over").await?;
        Ok(load)
    }

    /// Waits until the statement counts nothing.
    async fn until_none(&self, world: &World, count: &str, victims: &[Uuid], what: &str) -> Outcome<()> {
        let (begun, calls) = (Instant::now(), format!("{}-%", self.name));
        loop {
            let left: i64 = if count.contains("$2") {
                world.client.query_one(count, &[&calls, &victims]).await?.get(0)
            } else {
                world.client.query_one(count, &[&calls]).await?.get(0)
            };
            if left == 0 {
                return Ok(());
            }
            if begun.elapsed() > WITHIN {
                return Err(format!("{}: {left} {what}", self.name).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Fails if a message is lost: a change that was answered, a report of a call without a panic, or a panic.
    async fn is_whole(&self, world: &World, faults: &Faults) -> Outcome<()> {
        let stored = "select count(*), count(distinct event ->> 'state') from call_events e
            join call_log l on l.id = e.call
            where l.threecx_call_id like $1 and event ->> 'kind' = 'pbx_state_changed'";
        let row = world.client.query_one(stored, &[&format!("{}-%", self.name)]).await?;
        let (all, different): (i64, i64) = (row.get(0), row.get(1));
        let sent = i64::try_from(self.changed.exchanges.len())?;
        if (all, different) != (sent, sent) {
            return Err(format!("of {sent} changes {different} are stored, {all} times").into());
        }
        let met = faults.met();
        let hit: Vec<Uuid> = met.iter().map(|(_, call, _)| Uuid::from_u128(call.0)).collect();
        let unreported =
            "select count(*) from call_log l where threecx_call_id like $1 and id <> all($2) and 2 >
            (select count(*) from call_events where call = l.id and event ->> 'kind' = 'reported')";
        self.until_none(world, unreported, &hit, "calls without a panic lack a report").await?;
        let in_calls = met.iter().filter(|(point, ..)| !is_of_clone_job(*point));
        let hit: Vec<Uuid> = in_calls.map(|(_, call, _)| Uuid::from_u128(call.0)).collect();
        let unrecorded = "select count(*) from unnest($2::uuid[]) hit where $1 <> '' and 1 <>
            (select count(*) from call_events where call = hit and event ->> 'kind' = 'panicked')";
        self.until_none(world, unrecorded, &hit, "panics are not in the log of their call").await
    }

    fn row(&self, name: &str, panics: usize, baseline: &Self) -> Vec<String> {
        let took: Vec<f64> = self.changed.exchanges.iter().map(|exchange| micros(exchange.took)).collect();
        vec![
            name.to_owned(),
            self.calls.to_string(),
            panics.to_string(),
            format!("{:.0}", self.changed.rate()),
            format!("{:.2}", self.changed.rate() / baseline.changed.rate()),
            format!("{:.0}", median(&took)),
            format!("{:.0}", percentile(&took, 0.99)),
            "0".to_owned(),
        ]
    }
}

/// Makes the only HTTP worker panic while it answers, and asks it for something else at once.
async fn http_worker(world: &World, times: usize) -> Outcome<()> {
    let address = world.app.address();
    let (other, unreadable) =
        (webhook(SECRET, &outgoing("other", "+12025550123")), webhook(SECRET, &json!([])));
    let mut kept = Connection::open(address).await?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let begun = Instant::now();
        kept.exchange(&other).await?;
        before.push(micros(begun.elapsed()));
        let mut hit = Connection::open(address).await?;
        panics::arm_http_worker();
        if let Ok(answer) = hit.exchange(&unreadable).await {
            return Err(format!("the worker answers {} and does not panic", answer.status).into());
        }
        let begun = Instant::now();
        kept.exchange(&other).await?;
        after.push(micros(begun.elapsed()));
    }
    let kept = "select count(*) from webhooks where state = 'quarantined'";
    let kept: i64 = world.client.query_one(kept, &[]).await?.get(0);
    // The same body is one row, however often it comes.
    if kept != 1 {
        return Err("the webhooks whose answer panicked are not stored".into());
    }
    let mut table = Table::new(&["", "requests", "p50 us", "p99 us"]);
    for (name, took) in [("baseline: before a panic", &before), ("after a panic of another request", &after)]
    {
        let [p50, p99] = [0.5, 0.99].map(|part| format!("{:.0}", percentile(took, part)));
        table.row(vec![name.to_owned(), took.len().to_string(), p50, p99]);
    }
    table.print("the HTTP worker: answers on an open connection");
    Ok(())
}

/// Panics of the player of a live leg, beside legs that go on.
pub(crate) async fn live_legs(mode: Mode) -> Outcome<()> {
    let (times, neighbours) = mode.pick((10, 20), (2, 4));
    let faults = Faults::injectable();
    let mut plan = PbxPlan::default().holding();
    (plan.world.faults, plan.world.log) = (faults.clone(), panics::log());
    let world = PbxWorld::with(plan).await;
    for point in [Point::PlayerStarts, Point::PlayerHears].repeat(times) {
        faults.arm(point, None, 1);
    }
    let mut calls = Vec::new();
    for n in 0..u32::try_from(2 * times + neighbours)? {
        let pbx_id = world.rings(&world.mapped_caller(n).await);
        calls.push(world.call_of(&pbx_id).await);
    }
    for call in &calls {
        world.in_state(*call, "holding").await;
    }
    if faults.met().len() != 2 * times {
        return Err(format!("panics of {} legs, not of {}", faults.met().len(), 2 * times).into());
    }
    println!("\n{} live legs: {} panics of players, all callers are on hold", calls.len(), 2 * times);
    for call in calls {
        world.operator_ends(call).await;
    }
    world.stop_after_cuts().await;
    Ok(())
}

/// All panics of the service, by their points.
pub(crate) fn table() {
    let mut table = Table::new(&["point", "panics", "p50 us", "max us", "goal"]);
    let panics: BTreeMap<String, (usize, Vec<f64>)> = panics::all();
    for (point, (count, times)) in panics.iter().filter(|(point, _)| *point != "Plain") {
        let [p50, max] = match times.as_slice() {
            [] => [String::new(), String::new()],
            times => [0.5, 1.0].map(|part| format!("{:.0}", percentile(times, part))),
        };
        let goal = match point.starts_with("Call") {
            false => String::new(),
            true if median(times) < GOAL_US => format!("p50 under {GOAL_US}: met"),
            true => format!("p50 under {GOAL_US}: MISSED"),
        };
        table.row(vec![point.clone(), count.to_string(), p50, max, goal]);
    }
    table.print("all panics: time until the call's actor is restarted, or hears that its part is down");
}
