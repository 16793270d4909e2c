//! Two processes on one database: one is the leader, the other is standby. Nothing is done twice when they change
//! roles.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use precall_simulators::elevenlabs;
use precall_simulators::threecx::{self, Fault, NewCall, StreamFault, WsFault};
use precall_store::verify::verify;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{API_KEY, Program, Run};
use crate::support::database_link::{DatabaseLink, Link};
use crate::support::{
    CALLED, KEY, PERSON, SECRET, allow_override, caller, connect_to, database, http_client, pbx_simulator,
    talkative_agent, until,
};

const STANDS_BY: &str = "another precall is the leader, this one is a standby";

struct Pair {
    database: String,
    provider: String,
    samples: TempDir,
    _simulator: Program,
}

impl Pair {
    async fn new(database: &str) -> Self {
        let mut simulator =
            Run::of(&["simulate", "elevenlabs", "--api-key", API_KEY, "--allow-override", &allow_override()])
                .start();
        let provider = simulator.listening().await;
        let samples = tempfile::tempdir().unwrap();
        Self { database: database.to_owned(), provider, samples, _simulator: simulator }
    }

    async fn start(&self) -> (Program, String) {
        self.start_over(&self.database).await
    }

    /// With this way to the database.
    async fn start_over(&self, database: &str) -> (Program, String) {
        let samples = self.samples.path().to_str().unwrap();
        let service = Run::of(&["serve"]).in_production(database, &self.provider, samples);
        let mut service = service.env("DRAIN_TIMEOUT_SECONDS", "1").start();
        let url = service.listening().await;
        (service, url)
    }
}

/// Status and reason of `/health/ready`; `None` without an answer.
async fn ready(url: &str) -> Option<(u16, Option<String>)> {
    let mut answer = http_client().get(format!("{url}/health/ready")).send().await.ok()?;
    let body: Value = answer.json().await.ok()?;
    Some((answer.status().as_u16(), body["reason"].as_str().map(ToOwned::to_owned)))
}

async fn is_ready(url: &str) -> bool {
    ready(url).await.is_some_and(|(status, _)| status == 200)
}

async fn stands_by(url: &str) -> bool {
    ready(url).await == Some((503, Some(STANDS_BY.to_owned())))
}

/// Posts a signed webhook; returns the status of the answer, if there was one.
async fn ring(url: &str, id: &str) -> Option<u16> {
    let body = json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": "+12025550142",
        "called_number": CALLED, "direction": "In" })
    .to_string();
    let signed = Run::of(&["sign", "--secret", SECRET]).input(&body).end().await;
    let (name, value) = signed.stdout.trim().split_once(": ").unwrap();
    let request = http_client().post(format!("{url}/webhook/3cx")).insert_header((name, value));
    request.send_body(body).await.ok().map(|answer| answer.status().as_u16())
}

async fn offered(database: &str) -> i64 {
    let client = connect_to(database).await;
    client.query_one("select count(*) from call_log", &[]).await.unwrap().get(0)
}

/// How often the simulator was asked to dial a greeting.
async fn greetings(provider: &str) -> usize {
    let asked =
        http_client().get(format!("{provider}/sim/requests")).send().await.unwrap().body().limit(1 << 24);
    let asked: Vec<Value> = serde_json::from_slice(&asked.await.unwrap()).unwrap();
    let is_greeting = |request: &&Value| {
        request["body"]["conversation_initiation_client_data"]["dynamic_variables"]["precall_purpose"]
            == "greeting"
    };
    asked.iter().filter(is_greeting).count()
}

async fn holds(database: &str) {
    let verified = verify(&mut connect_to(database).await).await.unwrap();
    assert_eq!(verified.breaches, [], "{verified:?}");
}

#[actix::test]
async fn a_standby_does_nothing_until_it_takes_over_from_a_killed_process() {
    let database = database();
    let pair = Pair::new(database.url()).await;
    let (first, first_url) = pair.start().await;
    until("the first is the leader", || is_ready(&first_url)).await;
    let (second, second_url) = pair.start().await;
    until("the second is standby", || stands_by(&second_url)).await;
    assert_eq!(ring(&second_url, "1").await, Some(503));
    assert_eq!(ring(&first_url, "2").await, Some(200));
    let health: Value =
        http_client().get(format!("{second_url}/health")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&health["standby"], &health["status"]), (&json!(true), &json!("degraded")));
    first.signal(Signal::SIGKILL);
    until("the second becomes the leader", || is_ready(&second_url)).await;
    assert_eq!(ring(&second_url, "3").await, Some(200));
    assert_eq!(offered(database.url()).await, 2);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.code, Some(0));
    holds(database.url()).await;
}

#[actix::test]
async fn a_frozen_leader_is_replaced_and_does_nothing_when_it_goes_on() {
    let database = database();
    let pair = Pair::new(database.url()).await;
    let (first, first_url) = pair.start().await;
    until("the first is the leader", || is_ready(&first_url)).await;
    let (second, second_url) = pair.start().await;
    until("the second is standby", || stands_by(&second_url)).await;
    first.signal(Signal::SIGSTOP);
    let frozen = Instant::now();
    // Its session stays open: the kernel answers for it.
    until("the second becomes the leader", || is_ready(&second_url)).await;
    println!("a frozen leader was replaced after {:?}", frozen.elapsed());
    first.signal(Signal::SIGCONT);
    let answer = ring(&first_url, "1").await;
    assert_ne!(answer, Some(200), "acknowledged, but not stored");
    let ended = first.end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("another precall has taken over this database"), "{}", ended.stderr);
    assert_eq!(ring(&second_url, "2").await, Some(200));
    assert_eq!(offered(database.url()).await, 1);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.code, Some(0));
    holds(database.url()).await;
}

#[actix::test]
async fn an_engine_that_is_cut_off_stops_and_no_number_is_rung_twice() {
    for cut in [Link::Silent, Link::Closed] {
        let database = database();
        let pair = Pair::new(database.url()).await;
        let link = DatabaseLink::to(database.url());
        let (first, first_url) = pair.start_over(link.url()).await;
        until("the first is the leader", || is_ready(&first_url)).await;
        let (second, second_url) = pair.start().await;
        until("the second is standby", || stands_by(&second_url)).await;
        link.set(cut);
        let was_cut = Instant::now();
        // Within its lease the first takes it, and does not dial: the second does not know of it.
        let early = ring(&first_url, "1").await;
        assert_ne!(early, Some(200), "nobody else would call back");
        until("the second becomes the leader", || is_ready(&second_url)).await;
        println!("{cut:?}: answered {early:?}, and was replaced after {:?}", was_cut.elapsed());
        assert_eq!(ready(&first_url).await.unwrap().0, 503);
        // Its sender delivers it again, to both.
        assert_eq!(ring(&second_url, "1").await, Some(200));
        assert_eq!(ring(&first_url, "1").await, Some(503));
        until("the caller is rung", || async { greetings(&pair.provider).await > 0 }).await;
        link.set(Link::Open);
        assert_eq!(first.end().await.code, Some(1));
        assert_eq!(greetings(&pair.provider).await, 1);
        second.signal(Signal::SIGTERM);
        assert_eq!(second.end().await.code, Some(0));
        holds(database.url()).await;
    }
}

#[actix::test]
async fn a_leader_without_a_standby_takes_calls_while_the_database_is_away() {
    let database = database();
    let pair = Pair::new(database.url()).await;
    let link = DatabaseLink::to(database.url());
    let (first, first_url) = pair.start_over(link.url()).await;
    until("the first is the leader", || is_ready(&first_url)).await;
    // The third renewal is sent after the answer to the second, which says that it is alone.
    let alone = "select count(*) from engine_lease where lease_ms = 900000 and beat > 2";
    let client = connect_to(database.url()).await;
    until("it knows that it is alone", || async {
        client.query_one(alone, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    link.set(Link::Closed);
    // Longer than a lease with a standby.
    let was_cut = Instant::now();
    until("it is away for longer than a short lease", || async {
        was_cut.elapsed() > Duration::from_secs(6)
    })
    .await;
    assert_eq!(ring(&first_url, "1").await, Some(200));
    until("the caller is rung", || async { greetings(&pair.provider).await > 0 }).await;
    // One that comes now waits: it cannot know that the first has ended.
    let (_second, second_url) = pair.start().await;
    until("the second says what it waits for", || async {
        let said = ready(&second_url).await.and_then(|(_, reason)| reason).unwrap_or_default();
        said.contains("may take calls for 900 s after its last sign")
    })
    .await;
    link.set(Link::Open);
    until("the second is standby", || stands_by(&second_url)).await;
    first.signal(Signal::SIGTERM);
    assert_eq!(first.end().await.code, Some(0));
    until("the second becomes the leader", || is_ready(&second_url)).await;
    assert_eq!(ring(&second_url, "1").await, Some(200), "the call is known");
    holds(database.url()).await;
}

/// What the caller heard, in pieces of 20 ms: whether each was loud enough to hear.
fn heard(pbx: &threecx::Simulator, call: &str) -> Vec<bool> {
    let wav = pbx.audio(call).unwrap();
    let (samples, _) = wav[44..].as_chunks::<2>();
    let loud =
        |piece: &[[u8; 2]]| piece.iter().any(|sample| i16::from_le_bytes(*sample).unsigned_abs() > 100);
    samples.chunks(160).map(loud).collect()
}

fn longest_silence(heard: &[bool]) -> Duration {
    let pieces = heard.split(|loud| *loud).map(<[bool]>::len).max().unwrap();
    Duration::from_millis(20 * u64::try_from(pieces).unwrap())
}

#[actix::test]
async fn a_planned_stop_hands_the_calls_over_to_the_standby() {
    // What a real PBX does with the old streams when it issues a new token is not known.
    let cut = Fault {
        streams: Some(StreamFault::CloseOnToken),
        ws: Some(WsFault::CloseOnToken),
        ..Fault::default()
    };
    for faults in [vec![], vec![cut]] {
        hand_over(faults).await;
    }
}

async fn hand_over(faults: Vec<Fault>) {
    println!("with {} faults of the PBX:", faults.len());
    let database = database();
    let conversation = Duration::from_secs(600);
    let options = elevenlabs::Options { conversation, agent: talkative_agent(), ..Default::default() };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = pbx_simulator().await;
    pbx.set_faults(faults);
    let samples = tempfile::tempdir().unwrap();
    // Each on a host of its own: with its own spool.
    let serve = async |host: &str| {
        let run = Run::of(&["serve"]);
        let run = run.on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path());
        let run = run.env("SPOOL_DIR", samples.path().join(host).to_str().unwrap());
        let run = run.env("DRAIN_TIMEOUT_SECONDS", "60").env("FALLBACK_DESTINATION", PERSON);
        let mut service = run.env("LOG_LEVEL", "info").start();
        let url = service.listening().await;
        (service, url)
    };
    let (first, first_url) = serve("one").await;
    until("the first is the leader", || is_ready(&first_url)).await;
    until("it is connected to the PBX", || async { pbx.websockets() > 0 }).await;
    let client = connect_to(database.url()).await;
    let in_state = |state: &'static str| {
        let client = &client;
        async move {
            let statement = "select count(*) from call_log where state = $1";
            client.query_one(statement, &[&state]).await.unwrap().get::<_, i64>(0)
        }
    };
    let call = pbx.place_call(NewCall::from(&caller(1))).unwrap().call_id;
    until("the caller talks with the agent", || async { in_state("conversing").await == 1 }).await;
    let (second, second_url) = serve("two").await;
    until("the second is standby", || stands_by(&second_url)).await;

    let before = heard(&pbx, &call).len();
    first.signal(Signal::SIGTERM);
    let stopped = Instant::now();
    until("the second becomes the leader", || is_ready(&second_url)).await;
    println!("the standby led {:?} after the signal", stopped.elapsed());
    let later = pbx.place_call(NewCall::from(&caller(2))).unwrap().call_id;
    let ended = first.end().await;
    println!("the first ended {:?} after the signal", stopped.elapsed());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("another precall has taken over"), "{}", ended.stderr);
    until("both callers talk with an agent", || async { in_state("conversing").await == 2 }).await;
    until("the first caller hears the standby", || async { pbx.call(&call).unwrap().posts_opened == 2 })
        .await;
    // A service manager starts the first again at once. It must leave the callers to the second.
    let tokens = || pbx.requests().iter().filter(|request| request["path"] == "/connect/token").count();
    let asked = tokens();
    let (again, again_url) = serve("one").await;
    until("the first is standby", || stands_by(&again_url)).await;
    assert_eq!(tokens(), asked, "it took the PBX client from the leader");
    again.signal(Signal::SIGTERM);
    assert_eq!(again.end().await.code, Some(0));
    let enough = heard(&pbx, &call).len() + 150;
    until("it was heard for three seconds more", || async { heard(&pbx, &call).len() > enough }).await;
    let all = heard(&pbx, &call);
    let (earlier, later_on) = all.split_at(before);
    println!(
        "the longest silence that the caller heard: {:?} before the signal, {:?} after it",
        longest_silence(earlier),
        longest_silence(later_on)
    );
    for id in [&call, &later] {
        assert!(pbx.call(id).unwrap().transfers.is_empty(), "the caller was sent to a person");
        assert!(pbx.hang_up(id));
    }
    until("both callers have hung up", || async { in_state("released").await == 2 }).await;
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.code, Some(0));
    holds(database.url()).await;
    pbx.stop().await;
    provider.stop().await;
}

#[actix::test]
async fn two_databases_on_one_3cx_client_are_noticed() {
    let databases = [database(), database()];
    let provider = elevenlabs::start(elevenlabs::Options::default()).await.unwrap();
    let pbx = pbx_simulator().await;
    pbx.set_faults(vec![Fault { ws: Some(WsFault::CloseOnToken), ..Fault::default() }]);
    let mut services = Vec::new();
    for database in &databases {
        let samples = tempfile::tempdir().unwrap();
        let run = Run::of(&["serve"]);
        let run = run.on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path());
        let mut service = run.start();
        let url = service.listening().await;
        services.push((service, url, samples));
    }
    for (_, url, _) in &services {
        until("its health names the other program", || async {
            let asked = http_client().get(format!("{url}/health")).bearer_auth(KEY).send();
            let health: Value = asked.await.unwrap().json().await.unwrap();
            let words = health["problems"].to_string();
            health["threecx"] == "error" && words.contains("another program uses the 3CX client")
        })
        .await;
    }
    for (service, _, _) in services {
        service.signal(Signal::SIGTERM);
        assert_eq!(service.end().await.code, Some(0));
    }
    pbx.stop().await;
    provider.stop().await;
}
