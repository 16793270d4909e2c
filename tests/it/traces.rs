//! Traces of calls: one a call, at a real collector, and nothing for a call that the collector fails.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use precall_providers::otlp::{Collector, CollectorSettings, Protocol, SendErrorKind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::live_bridge::dialogue;
use crate::support::collector::{CollectorAnswer, TestCollector};
use crate::support::{PbxPlan, PbxWorld, Plan, World};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

fn trace_of(call: Uuid) -> String {
    call.simple().to_string()
}

/// `name in parent`, sorted.
fn tree(spans: &[Span]) -> BTreeSet<String> {
    let name = |id: &[u8]| {
        let parent = spans.iter().find(|span| span.span_id == id);
        parent.map_or_else(
            || if id.is_empty() { "nothing" } else { "UNKNOWN" }.to_owned(),
            |span| span.name.clone(),
        )
    };
    spans.iter().map(|span| format!("{} in {}", span.name, name(&span.parent_span_id))).collect()
}

fn span<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}: {spans:#?}"))
}

/// `00-TRACE-SPAN-01`.
fn context(span: &Span) -> Value {
    json!(format!("00-{}-{}-01", hex::encode(&span.trace_id), hex::encode(&span.span_id)))
}

#[actix::test]
async fn a_bridged_call_gives_exactly_one_trace() {
    let collector = TestCollector::start(CollectorAnswer::Take).await;
    let plan = PbxPlan::default()
        .bridge(dialogue())
        .env(ENDPOINT, &collector.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b")
        .env("OTEL_SERVICE_NAME", "reception");
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    let (_, shown) = world.get(&format!("/api/v1/calls/{call}")).await;
    assert_eq!(shown["trace_id"], json!(trace_of(call)));

    let row = world.completed(call).await;
    let spans = collector.trace(&trace_of(call)).await;
    let expected = [
        "call in nothing",
        "clone in call",
        "clone queue in clone",
        "clone ready in clone",
        "clone upload in clone",
        "conversation in call",
        "greeting in call",
        "handoff in call",
    ];
    assert_eq!(tree(&spans), expected.map(str::to_owned).into());
    assert_eq!(spans.len(), expected.len(), "{:?}", tree(&spans));
    let root = span(&spans, "call");
    assert!(spans.iter().all(|span| span.start_time_unix_nano <= span.end_time_unix_nano));
    let started = row.get::<_, jiff::Timestamp>("call_started_at").as_microsecond();
    assert_eq!(root.start_time_unix_nano / 1_000, u64::try_from(started).unwrap());
    assert!(root.status.is_none(), "{:?}", root.status);

    // ElevenLabs was told which span each request belongs to.
    let told = |path: &str| {
        world.simulator.requests().into_iter().find(|asked| asked["path"] == json!(path)).unwrap()
    };
    assert_eq!(told("/v1/voices/add")["traceparent"], context(span(&spans, "clone upload")));
    let signed = told("/v1/convai/conversation/get-signed-url");
    assert_eq!(signed["traceparent"], context(span(&spans, "handoff")));
    let variables = &world.talks(call)[0].initiation["dynamic_variables"];
    assert_eq!(variables["traceparent"], context(span(&spans, "conversation")));
    assert!(told("/v1/user/subscription").get("traceparent").is_none(), "a request of no call");

    // Its report comes after its trace was sent, and makes no second one.
    world
        .until_row(
            "the report is there",
            "select 1 from conversations where call = $1 and reported_at is not null",
            &[&call],
        )
        .await;
    let mut sent = Vec::new();
    for request in collector.requests() {
        assert!(request.head.starts_with("POST /v1/traces HTTP/1.1"), "{}", request.head);
        assert!(request.head.contains("x-key: a b"), "{}", request.head);
        sent.extend(request.body);
    }
    let has = |text: &str| sent.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("reception") && !has(&caller[1..]) && !has("When are you open"), "personal data in a trace");
    world.stop().await;
    let roots = collector.spans().iter().filter(|span| span.parent_span_id.is_empty()).count();
    assert_eq!(roots, 1);
}

#[actix::test]
async fn a_call_back_gives_a_trace_with_its_dials() {
    let collector = TestCollector::start(CollectorAnswer::Take).await;
    let plan =
        Plan::default().env(ENDPOINT, &collector.url()).env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let world = World::with(plan).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let spans = collector.trace(&trace_of(call)).await;
    let expected = [
        "call in nothing",
        "clone in call",
        "clone queue in clone",
        "clone ready in clone",
        "clone upload in clone",
        "conversation in call",
        "dial in greeting",
        "dial in handoff",
        "greeting in call",
        "handoff in call",
    ];
    assert_eq!(tree(&spans), expected.map(str::to_owned).into());
    let dials: Vec<Value> = spans.iter().filter(|span| span.name == "dial").map(context).collect();
    let asked = world.requests("/v1/convai/sip-trunk/outbound-call");
    let told: Vec<Value> = asked.iter().map(|request| request["traceparent"].clone()).collect();
    assert_eq!(told, dials);
    let of_agent =
        &asked[1]["body"]["conversation_initiation_client_data"]["dynamic_variables"]["traceparent"];
    assert_eq!(*of_agent, context(span(&spans, "conversation")));
    world.stop().await;
}

#[actix::test]
async fn without_a_collector_nothing_is_said_about_traces() {
    let world = World::new().await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let (_, shown) = world.get(&format!("/api/v1/calls/{call}")).await;
    assert_eq!(shown["trace_id"], Value::Null);
    assert!(world.simulator.requests().iter().all(|asked| !asked.to_string().contains("traceparent")));
    assert!(!world.metrics().await.contains("precall_exported_traces"));
    world.stop().await;
}

#[actix::test]
async fn a_call_that_no_sampler_takes_is_not_traced() {
    let collector = TestCollector::start(CollectorAnswer::Take).await;
    let plan = Plan::default().env(ENDPOINT, &collector.url()).env("OTEL_TRACES_SAMPLER", "always_off");
    let world = World::with(plan).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    assert!(world.simulator.requests().iter().all(|asked| asked.get("traceparent").is_none()));
    world.stop().await;
    assert!(collector.requests().is_empty());
}

#[actix::test]
async fn calls_go_on_while_the_collector_is_dead_and_their_traces_follow() {
    // A port that is free, and that nothing listens on.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plan = Plan::default().env(ENDPOINT, &format!("http://{address}"));
    let world = World::with(plan).await;
    let mut calls = Vec::new();
    for n in 1..=3 {
        calls.push(world.ring(&format!("pbx-{n}"), &world.known_caller(n).await).await);
    }
    for call in &calls {
        world.completed(*call).await;
    }
    let failed = "precall_failed_export_requests_total{why=\"unreachable\"}";
    world.until("a failure is counted", || async { world.metrics().await.contains(failed) }).await;
    let collector = TestCollector::at(address, CollectorAnswer::Take).await;
    for call in &calls {
        collector.trace(&trace_of(*call)).await;
    }
    let roots = collector.spans().iter().filter(|span| span.parent_span_id.is_empty()).count();
    assert_eq!(roots, 3, "each trace once");
    let sent = "precall_exported_traces_total{outcome=\"sent\"} 3";
    world.until("the traces are counted", || async { world.metrics().await.contains(sent) }).await;
    world.stop().await;
}

#[actix::test]
async fn a_busy_collector_is_asked_again_when_it_says_so() {
    for answer in [CollectorAnswer::Busy(429), CollectorAnswer::Busy(503), CollectorAnswer::Hang] {
        let collector = TestCollector::start(answer).await;
        let plan = Plan::default().env(ENDPOINT, &collector.url()).env("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
        let world = World::with(plan).await;
        let call = world.ring("pbx-1", &world.known_caller(1).await).await;
        world.completed(call).await;
        world.until("it is asked", || async { !collector.requests().is_empty() }).await;
        let asked = Instant::now();
        collector.answer(CollectorAnswer::Take);
        let spans = collector.trace(&trace_of(call)).await;
        let (first, last) = (&collector.requests()[0], collector.requests().pop().unwrap());
        assert_eq!(first.body, last.body, "{answer:?}: the same spans");
        if answer != CollectorAnswer::Hang {
            assert!(asked.elapsed() > Duration::from_millis(800), "{answer:?}: Retry-After was not kept");
        }
        assert_eq!(spans.len(), collector.spans().len());
        world.stop().await;
    }
}

#[actix::test]
async fn what_a_collector_refuses_is_not_sent_again() {
    let collector = TestCollector::start(CollectorAnswer::Refuse(400)).await;
    let world = World::with(Plan::default().env(ENDPOINT, &collector.url())).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let refused = "precall_exported_traces_total{outcome=\"refused\"} 1";
    world.until("the refusal is counted", || async { world.metrics().await.contains(refused) }).await;
    collector.answer(CollectorAnswer::Take);
    let second = world.ring("pbx-2", &world.known_caller(2).await).await;
    world.completed(second).await;
    collector.trace(&trace_of(second)).await;
    assert_eq!(collector.requests().len(), 2);
    world.stop().await;
}

#[actix::test]
async fn the_end_of_the_process_sends_the_last_traces_and_does_not_wait_long_for_a_dead_collector() {
    let collector = TestCollector::start(CollectorAnswer::Take).await;
    let world = World::with(Plan::default().env(ENDPOINT, &collector.url())).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    world.stop().await;
    assert!(collector.spans().iter().any(|span| hex::encode(&span.trace_id) == trace_of(call)));

    let silent = TestCollector::start(CollectorAnswer::Hang).await;
    let world = World::with(Plan::default().env(ENDPOINT, &silent.url())).await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let begun = Instant::now();
    world.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[actix::test]
async fn each_answer_of_a_collector_is_told_apart() {
    let collector = TestCollector::start(CollectorAnswer::Take).await;
    let url = format!("{}/v1/traces", collector.url()).parse().unwrap();
    let settings =
        CollectorSettings::new(url, &[], Protocol::Json, Duration::from_millis(300), Vec::new()).unwrap();
    let client = Collector::new(settings);
    assert_eq!(client.send(&[]).await.unwrap().rejected, 0);
    for (answer, kind, retry_after) in [
        (CollectorAnswer::Busy(429), SendErrorKind::Busy, Some(Duration::from_secs(1))),
        (CollectorAnswer::Busy(502), SendErrorKind::Busy, Some(Duration::from_secs(1))),
        (CollectorAnswer::Busy(504), SendErrorKind::Busy, Some(Duration::from_secs(1))),
        (CollectorAnswer::Refuse(400), SendErrorKind::Refused, None),
        (CollectorAnswer::Refuse(401), SendErrorKind::Refused, None),
        (CollectorAnswer::Refuse(500), SendErrorKind::Refused, None),
        (CollectorAnswer::Hang, SendErrorKind::Timeout, None),
    ] {
        collector.answer(answer);
        let error = client.send(&[]).await.unwrap_err();
        assert_eq!((error.kind, error.retry_after), (kind, retry_after), "{answer:?}");
    }
    let wrong = [("na me".to_owned(), "v".to_owned())];
    let url = collector.url().parse().unwrap();
    let settings = CollectorSettings::new(url, &wrong, Protocol::Json, Duration::from_secs(1), Vec::new());
    assert!(settings.unwrap_err().to_string().contains("na me"));
}
