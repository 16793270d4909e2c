//! A panic affects one call only. Every injection point of every actor is tested next to a hundred other calls.

use std::collections::HashMap;
use std::time::Duration;

use precall_actors::runtime::fault_injection::{Faults, Point};
use precall_call::CallId;
use uuid::Uuid;

use crate::support::{Plan, World, incoming, until};

const NEIGHBOURS: u32 = 100;

/// The expected result for a victim: cause of the end, the agent's voice, and the number of dials.
struct Fate {
    cause: &'static str,
    voice: Voice,
    dials: usize,
}

#[derive(PartialEq)]
enum Voice {
    Cloned,
    Fallback,
    /// No agent spoke.
    Nobody,
}

fn fate(point: Point) -> Fate {
    let unharmed = Fate { cause: "completed", voice: Voice::Cloned, dials: 2 };
    match point {
        // The first panic of the call's actor loses nothing.
        Point::CallBeforeStep
        | Point::CallAfterStep
        | Point::CallInEffects
        | Point::CallOnDurable
        | Point::CallOnDeadline => unharmed,
        // Dialled, and found again by a look-up.
        Point::GreetingAnswered | Point::HandoffAnswered => unharmed,
        // Never dialled: no greeting, only the agent.
        Point::GreetingStarts => Fate { dials: 1, ..unharmed },
        // Live legs only: see `live_isolation`.
        Point::PlayerStarts | Point::PlayerHears => unharmed,
        // The voice is lost, the call continues.
        Point::WorkerStarts
        | Point::WorkerAnswered
        | Point::JobStarts
        | Point::JobBeforeUpload
        | Point::JobAnswered => Fate { voice: Voice::Fallback, ..unharmed },
        // A dial cannot be ruled out, so it is not repeated.
        Point::HandoffStarts => Fate { cause: "handoff_failed", voice: Voice::Nobody, dials: 1 },
    }
}

fn is_of_live_leg(point: Point) -> bool {
    matches!(point, Point::PlayerStarts | Point::PlayerHears)
}

/// Points that a call passes right after its webhook. The others are armed for a known call.
fn is_early(point: Point) -> bool {
    !matches!(point, Point::HandoffStarts | Point::HandoffAnswered | Point::CallOnDeadline)
}

#[actix::test]
async fn a_panic_in_any_actor_affects_at_most_one_part_of_one_call() {
    let faults = Faults::injectable();
    let plan = Plan { faults: faults.clone(), conversation: Duration::from_secs(4), ..Plan::default() }
        .env("CLONE_MAX_WAIT_SECONDS", "2")
        .env("CALLBACK_LIMIT_CONCURRENT", "1000")
        .env("MAX_LIVE_CALLS", "1000");
    let world = World::with(plan).await;
    let mut neighbours = Vec::new();
    for n in 0..NEIGHBOURS {
        // Each neighbour has its own number and no voice, which keeps the hundred cheap.
        let caller = format!("+1{}5550{:03}", 201 + 2 * (n % 2), 100 + n);
        neighbours.push(world.ring(&format!("neighbour-{n}"), &caller).await);
    }
    until("all neighbours are in their greeting", || async {
        world.app.engine().live().iter().all(|call| call.state != "offered")
    })
    .await;
    let mut victims: HashMap<Uuid, Point> = HashMap::new();
    for (n, point) in (1_u32..).zip(Point::ALL.into_iter().filter(|point| !is_of_live_leg(*point))) {
        let caller = world.known_caller(n).await;
        if is_early(point) {
            // No neighbour passes a point now, so the next call is the victim.
            quiet(&world).await;
            faults.arm(point, None, 1);
            let call = world.ring(&format!("victim-{n}"), &caller).await;
            until("the point is reached", || async { faults.met().iter().any(|(met, ..)| *met == point) })
                .await;
            let (_, hit, _) = faults.met().into_iter().find(|(met, ..)| *met == point).unwrap();
            victims.insert(Uuid::from_u128(hit.0), point);
            neighbours.extend((hit.0 != call.as_u128()).then_some(call));
        } else {
            let call = world.ring(&format!("victim-{n}"), &caller).await;
            faults.arm(point, Some(CallId(call.as_u128())), 1);
            victims.insert(call, point);
        }
    }
    for (call, point) in &victims {
        let expected = fate(*point);
        let row = world.released(*call).await;
        let cause: String = row.get("cause");
        assert_eq!(cause, expected.cause, "{point:?}");
        let dials = dials_of(&world, *call);
        assert_eq!(dials.len(), expected.dials, "{point:?}");
        if expected.voice != Voice::Nobody && !neighbours.contains(call) {
            let spoken = dials.last().unwrap().to_string();
            let has_fallback = spoken.contains("voice_fallback");
            let has_sample = world
                .count(
                    "select count(*) from caller_voice_mapping m join call_log l on l.caller_id = m.caller_id
                     where l.id = $1",
                    &[call],
                )
                .await
                == 1;
            assert_eq!(has_fallback, expected.voice == Voice::Fallback || !has_sample, "{point:?}");
        }
        let statement = "select count(*) from call_events where call = $1 and event ->> 'kind' = 'panicked'";
        let noted = world.count(statement, &[call]).await;
        let in_job = matches!(point, Point::JobStarts | Point::JobBeforeUpload | Point::JobAnswered);
        assert_eq!(noted, i64::from(!in_job), "{point:?}: a panic of a call's actor is recorded");
    }
    for call in &neighbours {
        if victims.contains_key(call) {
            continue;
        }
        let row = world.completed(*call).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        let kinds = world.events(*call).await;
        let reports = kinds.iter().filter(|kind| *kind == "reported").count();
        assert_eq!(reports, 2, "a neighbour lost a message: {kinds:?}");
        assert_eq!(dials_of(&world, *call).len(), 2);
    }
    assert_eq!(world.app.engine().live().len(), 0);
    world.stop().await;
}

#[actix::test]
async fn a_second_panic_within_a_minute_ends_the_call_with_its_rows() {
    let faults = Faults::injectable();
    let world = World::with(Plan { faults: faults.clone(), ..Plan::default() }).await;
    let caller = world.known_caller(1).await;
    faults.arm(Point::CallBeforeStep, None, 2);
    let call = world.ring("pbx-1", &caller).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, String>("cause"), "panicked");
    assert_eq!(row.get::<_, String>("blame"), "precall");
    let next = world.known_caller(2).await;
    let after = world.ring("pbx-2", &next).await;
    world.completed(after).await;
    world.stop().await;
}

#[actix::test]
async fn a_call_whose_actor_cannot_restart_is_ended_in_its_log() {
    let faults = Faults::injectable();
    let world = World::with(Plan { faults: faults.clone(), ..Plan::default() }).await;
    let caller = world.known_caller(1).await;
    faults.arm(Point::CallAfterStep, None, 8);
    // The actor that would have answered is gone: the sender is told to retry, and then finds the same call.
    let (status, _) = world.post_3cx(&incoming("pbx-1", &caller)).await;
    assert_eq!(status, 503);
    let statement = "select * from call_log where threecx_call_id = 'pbx-1' and state = 'released'";
    let row = world.until_row("the supervisor ends the call", statement, &[]).await;
    assert_eq!(row.get::<_, String>("cause"), "panicked");
    world.events(row.get("id")).await;
    let (status, answer) = world.post_3cx(&incoming("pbx-1", &caller)).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("duplicate")));
    world.stop().await;
}

fn dials_of(world: &World, call: Uuid) -> Vec<serde_json::Value> {
    let dials = world.requests("/v1/convai/sip-trunk/outbound-call");
    let user = call.to_string();
    dials
        .into_iter()
        .filter(|dial| dial["body"]["conversation_initiation_client_data"]["user_id"] == user.as_str())
        .collect()
}

/// Waits until no call is about to pass a point.
async fn quiet(world: &World) {
    until("no job runs", || async { world.app.engine().live().iter().all(|call| call.actors.len() == 1) })
        .await;
}
