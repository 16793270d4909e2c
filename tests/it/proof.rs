//! Who may hear a cloned voice: proof by PIN or by leg. No PIN is stored or logged anywhere.

use precall_actors::call::pin::hash_pin;
use precall_simulators::elevenlabs::Fault;
use precall_simulators::threecx::{NewCall, WebhookMode};
use serde_json::json;
use uuid::Uuid;

use crate::support::log_lines::LogLines;
use crate::support::{ADD, CALLED, KEY, PbxPlan, PbxWorld, Plan, World, fault};

/// The keys for skipping the greeting and for a person are among its digits.
const PIN: &str = "9081726354";
const WRONG: &str = "9081726355";
const FALLBACK: &str = "voice_fallback";
const TRUSTED: &str = "10007";

/// A caller whose voice requires a proof.
async fn kept_caller(world: &World, n: u32, pin: Option<&str>) -> String {
    let number = world.known_caller(n).await;
    keep(world, &number, pin).await;
    number
}

async fn keep(world: &World, number: &str, pin: Option<&str>) {
    let hash = pin.map(|pin| hash_pin(pin).unwrap());
    let statement =
        "update caller_voice_mapping set voice_policy = 'proof', pin_hash = $2 where caller_id = $1";
    world.execute(statement, &[&number, &hash]).await;
}

/// A call that waits for a PIN.
async fn asked(world: &PbxWorld, caller: &str) -> (String, Uuid) {
    let pbx_id = world.rings(caller);
    let call = world.call_of(&pbx_id).await;
    has(world, call, "proof_asked", 1).await;
    (pbx_id, call)
}

async fn has(world: &World, call: Uuid, kind: &str, times: usize) {
    let what = format!("{kind} for the {times}. time");
    world
        .until(&what, || async {
            world.events(call).await.iter().filter(|event| *event == kind).count() >= times
        })
        .await;
}

/// The agent spoke in the caller's cloned voice.
async fn heard_own_voice(world: &PbxWorld, pbx_id: &str, call: Uuid) {
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing"), None);
    let voice: String = row.get("cloned_voice_id");
    assert_eq!(world.report(pbx_id).trunk.unwrap().voice_id, Some(voice));
}

/// The agent spoke in the fallback voice, for this reason.
async fn heard_fallback(world: &PbxWorld, pbx_id: &str, call: Uuid, why: &str) {
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some(why));
    assert_eq!(row.get::<_, Option<String>>("cloned_voice_id"), None);
    assert_eq!(world.report(pbx_id).trunk.unwrap().voice_id.as_deref(), Some(FALLBACK));
}

async fn failures(world: &World, number: &str) -> i32 {
    let statement = "select pin_failures from caller_voice_mapping where caller_id = $1";
    world.client.query_one(statement, &[&number]).await.unwrap().get(0)
}

#[actix::test]
async fn a_correct_pin_unlocks_the_voice_however_it_is_typed() {
    let world = PbxWorld::new().await;
    let ways: [&[&str]; 4] = [
        &["9081726354#"],
        // Split over several events; cleared and typed again; ended by a pause, with a short entry dropped.
        &["90", "8172", "6354", "#"],
        &["908172", "*", "9081726354#"],
        &["12#", "9081726354"],
    ];
    for (n, typed) in (1..).zip(ways) {
        let caller = kept_caller(&world, n, Some(PIN)).await;
        let (pbx_id, call) = asked(&world, &caller).await;
        assert_eq!(world.uploads(), usize::try_from(n).unwrap() - 1, "cloned without a proof");
        for keys in typed {
            world.presses(&pbx_id, keys);
        }
        heard_own_voice(&world, &pbx_id, call).await;
        let events = world.events(call).await;
        assert!(events.contains(&"proof_given".to_owned()), "{events:?}");
        assert!(!events.contains(&"pin_refused".to_owned()), "{events:?}");
        assert_eq!(failures(&world, &caller).await, 0);
    }
    world.stop().await;
}

#[actix::test]
async fn without_a_correct_pin_the_fallback_voice_is_used_and_nothing_is_cloned() {
    let world = PbxWorld::with(PbxPlan::default().env("PIN_WAIT_SECONDS", "3")).await;
    let (wrong, silent) = (kept_caller(&world, 1, Some(PIN)).await, kept_caller(&world, 2, Some(PIN)).await);
    let no_pin = kept_caller(&world, 3, None).await;
    let (wrong_leg, wrong_call) = asked(&world, &wrong).await;
    let (silent_leg, silent_call) = asked(&world, &silent).await;
    let (bare_leg, bare_call) = asked(&world, &no_pin).await;
    for number in 1..=3 {
        world.presses(&wrong_leg, &format!("{WRONG}#"));
        has(&world, wrong_call, "pin_refused", number).await;
    }
    for (pbx_id, call) in [(wrong_leg, wrong_call), (silent_leg, silent_call), (bare_leg, bare_call)] {
        heard_fallback(&world, &pbx_id, call, "unproven").await;
    }
    assert_eq!(failures(&world, &wrong).await, 3);
    assert_eq!(world.uploads(), 0);
    assert!(!world.events(bare_call).await.contains(&"pin_refused".to_owned()));
    let page = metrics(&world).await;
    assert!(page.contains("precall_refused_pins_total 3\n"), "{page}");
    assert!(page.contains("precall_voice_missing_calls_total{reason=\"unproven\"} 3\n"), "{page}");
    world.stop().await;
}

async fn metrics(world: &World) -> String {
    let request = world.http.get(format!("{}/metrics", world.app.url())).bearer_auth(KEY);
    let body = request.send().await.unwrap().body().limit(1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// More PINs than are checked at once: they wait, and none counts as wrong.
#[actix::test]
async fn pins_of_many_concurrent_callers_are_all_checked() {
    let world = PbxWorld::with(PbxPlan { greeting_ms: 2_000, ..PbxPlan::default() }).await;
    let mut calls = Vec::new();
    for n in 1..=8 {
        let caller = kept_caller(&world, n, Some(PIN)).await;
        let pbx_id = world.rings(&caller);
        calls.push((world.call_of(&pbx_id).await, pbx_id));
    }
    for (call, _) in &calls {
        has(&world, *call, "proof_asked", 1).await;
    }
    for (_, pbx_id) in &calls {
        world.presses(pbx_id, &format!("{PIN}#"));
    }
    for (call, pbx_id) in &calls {
        heard_own_voice(&world, pbx_id, *call).await;
        assert!(!world.events(*call).await.contains(&"pin_refused".to_owned()));
    }
    world.stop().await;
}

#[actix::test]
async fn a_single_key_keeps_its_function_while_a_pin_is_awaited() {
    let world = PbxWorld::with(PbxPlan { greeting_ms: 8_000, ..PbxPlan::default() }).await;
    let (skips, asks) = (kept_caller(&world, 1, Some(PIN)).await, kept_caller(&world, 2, Some(PIN)).await);
    let (skips_leg, skips_call) = asked(&world, &skips).await;
    let (asks_leg, asks_call) = asked(&world, &asks).await;
    for (pbx_id, call) in [(&skips_leg, skips_call), (&asks_leg, asks_call)] {
        has(&world, call, "notice_ended", 1).await;
        world.hears(pbx_id, &world.greeting.start(50)).await;
    }
    world.presses(&skips_leg, "1#");
    world.in_state(skips_call, "holding").await;
    world.presses(&skips_leg, &format!("{PIN}#"));
    heard_own_voice(&world, &skips_leg, skips_call).await;
    world.presses(&asks_leg, "0");
    let row = world.released(asks_call).await;
    assert_eq!(row.get::<_, String>("told"), "person");
    world.stop().await;
}

#[actix::test]
async fn ten_wrong_pins_over_several_calls_lock_the_pin_for_an_hour() {
    let world = PbxWorld::new().await;
    let caller = kept_caller(&world, 1, Some(PIN)).await;
    for _ in 0..3 {
        let (pbx_id, call) = asked(&world, &caller).await;
        for number in 1..=3 {
            world.presses(&pbx_id, &format!("{WRONG}#"));
            has(&world, call, "pin_refused", number).await;
        }
        heard_fallback(&world, &pbx_id, call, "unproven").await;
    }
    let (pbx_id, call) = asked(&world, &caller).await;
    world.presses(&pbx_id, &format!("{WRONG}#"));
    has(&world, call, "pin_refused", 1).await;
    assert_eq!(failures(&world, &caller).await, 10);
    for number in 2..=3 {
        world.presses(&pbx_id, &format!("{PIN}#"));
        has(&world, call, "pin_refused", number).await;
    }
    heard_fallback(&world, &pbx_id, call, "unproven").await;
    assert_eq!(failures(&world, &caller).await, 10, "a PIN that was not checked does not count");
    // One hour later a wrong PIN is the first one, and a right one is accepted.
    let hour = "update caller_voice_mapping set pin_failed_at = pin_failed_at - interval '1 hour'";
    world.execute(hour, &[]).await;
    let (pbx_id, call) = asked(&world, &caller).await;
    world.presses(&pbx_id, &format!("{WRONG}#"));
    has(&world, call, "pin_refused", 1).await;
    assert_eq!(failures(&world, &caller).await, 1);
    world.presses(&pbx_id, &format!("{PIN}#"));
    heard_own_voice(&world, &pbx_id, call).await;
    assert_eq!(failures(&world, &caller).await, 0);
    world.stop().await;
}

#[actix::test]
async fn an_extension_or_a_trusted_trunk_proves_the_caller() {
    let plan = PbxPlan::default().env("VOICE_POLICY", "proof").env("TRUSTED_TRUNKS", TRUSTED);
    let world = PbxWorld::with(plan).await;
    let known = [world.known_caller(1).await, world.known_caller(2).await, world.known_caller(3).await];
    let [first, second, third] = &known;
    // The third mapping is for an extension.
    world.execute("update caller_voice_mapping set caller_id = '150' where caller_id = $1", &[third]).await;
    let through = |caller: &str| NewCall { trunk: Some(TRUSTED.to_owned()), ..NewCall::from(caller) };
    let announced =
        |call: NewCall| NewCall { webhook: WebhookMode::First, called: CALLED.to_owned(), ..call };
    let passed_on = |call: NewCall| NewCall { referred_by: "120".to_owned(), ..call };
    for call in [through(first), announced(through(second)), NewCall::from_extension("150")] {
        let pbx_id = world.rings_so(call);
        heard_own_voice(&world, &pbx_id, world.call_of(&pbx_id).await).await;
    }
    for call in [
        NewCall::from(first),
        announced(NewCall::from(second)),
        // An external caller can present a short number, and a call forwarded by an extension is not the extension's.
        NewCall::from("150"),
        through("150"),
        passed_on(NewCall::from_extension("150")),
        passed_on(through(first)),
    ] {
        let shown = format!("{call:?}");
        let pbx_id = world.rings_so(call);
        heard_fallback(&world, &pbx_id, world.call_of(&pbx_id).await, "unproven").await;
        assert!(world.report(&pbx_id).trunk.is_some(), "{shown}");
    }
    // A caller who withholds the number has no mapping, on any trunk.
    for nobody in ["anonymous", ""] {
        let pbx_id = world.rings_so(through(nobody));
        heard_fallback(&world, &pbx_id, world.call_of(&pbx_id).await, "no_mapping").await;
    }
    world.stop().await;
}

/// On a call back no key can be pressed before the dial, so `proof` means that nobody has proved anything.
#[actix::test]
async fn the_caller_policy_overrides_the_line_policy_which_overrides_the_installation() {
    const SALES: &str = "+12025550180";
    let world = World::with(Plan::default().env("VOICE_POLICY", "never")).await;
    world.execute("insert into lines (number, voice_policy) values ($1, 'number')", &[&SALES]).await;
    world.app.reload_lines().await;
    let caller = world.known_caller(1).await;
    let expected = [
        (None, CALLED, Some("unproven")),
        (None, SALES, None),
        (Some("never"), SALES, Some("unproven")),
        (Some("proof"), SALES, Some("unproven")),
        (Some("number"), CALLED, None),
    ];
    for (n, (policy, called, missing)) in (1..).zip(expected) {
        let statement = "update caller_voice_mapping set voice_policy = $2 where caller_id = $1";
        world.execute(statement, &[&caller, &policy]).await;
        let body = json!({ "event_type": "IncomingCall", "call_id": format!("pbx-{n}"), "caller_id": caller,
            "called_number": called });
        let (_, answer) = world.post_3cx(&body).await;
        let call: Uuid = answer["call_id"].as_str().unwrap().parse().unwrap();
        let row = world.completed(call).await;
        assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), missing, "{policy:?} {called}");
    }
    world.stop().await;
}

#[actix::test]
async fn pin_attempts_and_proofs_survive_a_restart() {
    let plan = PbxPlan { greeting_ms: 10_000, ..PbxPlan::default() };
    let world = PbxWorld::with(plan.env("CLONE_CONCURRENCY", "1")).await;
    // Another caller's upload hangs, so that no voice is ready before the restart.
    world.faults(vec![Fault { hang: true, times: Some(1), ..fault(ADD) }]);
    let other = world.rings(&world.known_caller(4).await);
    world.until("the upload hangs", || async { world.uploads() == 1 }).await;
    let callers = [1, 2, 3].map(|n| kept_caller(&world, n, Some(PIN)));
    let callers = futures_util::future::join_all(callers).await;
    let mut calls = Vec::new();
    for caller in &callers {
        let (pbx_id, call) = asked(&world, caller).await;
        has(&world, call, "notice_ended", 1).await;
        calls.push((pbx_id, call));
    }
    for (pbx_id, call) in &calls[..2] {
        for number in 1..=2 {
            world.presses(pbx_id, &format!("{WRONG}#"));
            has(&world, *call, "pin_refused", number).await;
        }
    }
    let (proved_leg, proved) = calls[2].clone();
    world.presses(&proved_leg, &format!("{PIN}#"));
    has(&world, proved, "proof_given", 1).await;
    assert!(!world.events(proved).await.contains(&"voice_ready".to_owned()));
    let world = world.restart().await;
    for (_, call) in &calls {
        has(&world, *call, "leg_connected", 2).await;
    }
    world.presses(&calls[0].0, &format!("{WRONG}#"));
    world.presses(&calls[1].0, &format!("{PIN}#"));
    heard_fallback(&world, &calls[0].0, calls[0].1, "unproven").await;
    heard_own_voice(&world, &calls[1].0, calls[1].1).await;
    heard_own_voice(&world, &proved_leg, proved).await;
    let numbers = "select count(*) from call_events where call = $1 and event ->> 'kind' = 'pin_refused'
        and event ->> 'number' = '3'";
    assert_eq!(world.count(numbers, &[&calls[0].1]).await, 1, "it was the third refusal");
    let kinds = world.events(proved).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "proof_asked").count(), 1, "{kinds:?}");
    world.completed(world.call_of(&other).await).await;
    world.stop_after_cuts().await;
}

#[actix::test]
async fn pin_digits_are_in_no_table_log_line_or_metric() {
    let lines = LogLines::default();
    let mut plan = PbxPlan::default().env("PIN_WAIT_SECONDS", "3").env("LOG_LEVEL", "trace");
    plan.world.log = lines.logger();
    let world = PbxWorld::with(plan).await;
    let (right, wrong, slow) = (
        kept_caller(&world, 1, Some(PIN)).await,
        kept_caller(&world, 2, Some(PIN)).await,
        kept_caller(&world, 3, Some(PIN)).await,
    );
    let (right_leg, right_call) = asked(&world, &right).await;
    let (wrong_leg, wrong_call) = asked(&world, &wrong).await;
    let (slow_leg, slow_call) = asked(&world, &slow).await;
    world.presses(&right_leg, &format!("{PIN}#"));
    for number in 1..=3 {
        world.presses(&wrong_leg, &format!("{WRONG}#"));
        has(&world, wrong_call, "pin_refused", number).await;
    }
    // The wait for the PIN ends in the middle of the entry: the rest is consumed and stays hidden.
    has(&world, slow_call, "greeting_ended", 1).await;
    let (begin, rest) = PIN.split_at(1);
    let pressed = async |keys: &str| {
        world.presses(&slow_leg, keys);
        let dtmf = || async { world.report(&slow_leg).dtmf.concat().ends_with(keys) };
        world.until("the keys were sent", dtmf).await;
    };
    pressed(begin).await;
    pressed("*908").await;
    world.in_state(slow_call, "handing_off").await;
    pressed(rest).await;
    heard_own_voice(&world, &right_leg, right_call).await;
    heard_fallback(&world, &wrong_leg, wrong_call, "unproven").await;
    heard_fallback(&world, &slow_leg, slow_call, "unproven").await;

    // Search for all digits together, and for each key: key presses are events of this kind.
    let keys = "select count(*) from call_events where event ->> 'kind' = 'dtmf_received'";
    assert_eq!(world.count(keys, &[]).await, 0, "a key was recorded");
    let tables = "select quote_ident(tablename) from pg_tables where schemaname = 'public'";
    let tables = world.client.query(tables, &[]).await.unwrap();
    assert!(tables.len() > 15);
    for table in &tables {
        let table: String = table.get(0);
        for pin in [PIN, WRONG] {
            let statement = format!("select count(*) from {table} t where t::text like '%{pin}%'");
            assert_eq!(world.count(&statement, &[]).await, 0, "a PIN in {table}");
        }
    }
    let page = metrics(&world).await;
    let lines = lines.all();
    assert!(lines.iter().any(|line| line.starts_with("call offered")), "nothing was logged");
    for line in lines.iter().map(String::as_str).chain([page.as_str()]) {
        assert!(!line.contains(PIN) && !line.contains(WRONG), "{line}");
        assert!(!line.contains("key="), "{line}");
    }
    world.stop().await;
}
