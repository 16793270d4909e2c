//! Under a steady load of webhooks the service is killed and its database is stopped or crashed, at random times. Every
//! acknowledged call is stored once, and no caller is dialled twice.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use precall_simulators::{Target, elevenlabs};
use precall_store::verify::verify;
use serde_json::{Value, json};

use crate::program::{API_KEY, Program, Run, free_port};
use crate::support::cluster::Cluster;
use crate::support::{
    CALLED, KEY, PATIENCE, PostedWebhooks, SECRET, allowing_agent, connect_to, ended, http_client, lasting,
    pause, until,
};

/// Webhooks are 5 ms apart: 200 a second.
const APART: Duration = Duration::from_millis(5);
/// Webhooks posted for each call, in this order. The call end is posted later than the others.
const PER_CALL: usize = 5;
const ENDS_AFTER_CALLS: usize = 80;
/// Limit of unanswered webhooks; at the limit no more are posted.
const OUTSTANDING: usize = 400;
const DIAL: &str = "/v1/convai/sip-trunk/outbound-call";

/// The settings of the storm; environment variables set a longer one.
struct Storm {
    kills: usize,
    stops: usize,
    crashes: usize,
    outage: Duration,
    seed: u64,
}

impl Storm {
    fn asked_for() -> Self {
        let number =
            |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
        let count = |name, usual| usize::try_from(number(name, usual)).unwrap();
        let storm = Self {
            kills: count("STORM_KILLS", 4),
            stops: count("STORM_STOPS", 1),
            crashes: count("STORM_CRASHES", 1),
            outage: Duration::from_secs(number("STORM_OUTAGE_SECONDS", 3)),
            seed: number("SEED", u64::from(std::process::id())),
        };
        println!("SEED={}", storm.seed);
        storm
    }
}

/// Pseudo-random times.
struct Random(u64);

impl Random {
    fn between(&mut self, least_ms: u64, most_ms: u64) -> Duration {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(least_ms + (z ^ (z >> 31)) % (most_ms - least_ms + 1))
    }
}

fn webhook(call: usize, step: usize) -> Value {
    let id = format!("pbx-{call}");
    let caller = format!("+1202{}", 2_000_000 + call);
    match step {
        0 | 1 => {
            json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": caller,
                    "called_number": CALLED, "direction": "In" })
        }
        2 | 3 => json!({ "event_type": "CallStateChanged", "call_id": id, "state": format!("state {step}") }),
        _ => ended(&id),
    }
}

/// Posts until it is stopped.
async fn run_load(webhooks: Rc<PostedWebhooks>, stop: Rc<Cell<bool>>, url: String) {
    let (begun, mut n) = (Instant::now(), 0_usize);
    while !stop.get() {
        let due = usize::try_from(begun.elapsed().as_millis() / APART.as_millis()).unwrap();
        while n < due && webhooks.outstanding() < OUTSTANDING {
            let (call, step) = (n / PER_CALL, n % PER_CALL);
            let call = if step == PER_CALL - 1 { call.checked_sub(ENDS_AFTER_CALLS) } else { Some(call) };
            if let Some(call) = call {
                webhooks.post(&url, webhook(call, step).to_string());
            }
            n += 1;
        }
        pause().await;
    }
    until("the last webhooks are answered", || async { webhooks.outstanding() == 0 }).await;
}

/// Collects the dials that the provider received. It remembers only the latest, so it is polled.
async fn watch_dials(
    provider: Rc<elevenlabs::Simulator>,
    seen: Rc<RefCell<BTreeSet<(String, String, String)>>>,
) {
    loop {
        for request in provider.requests().iter().filter(|request| request["path"] == DIAL) {
            let data = &request["body"]["conversation_initiation_client_data"];
            let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
            // If the sender died during the request, the request has no body and dialled nothing.
            if let (Some(call), Some(purpose), Some(at)) = (
                text(&data["user_id"]),
                text(&data["dynamic_variables"]["precall_purpose"]),
                text(&request["at"]),
            ) {
                seen.borrow_mut().insert((call, purpose, at));
            }
        }
        lasting(Duration::from_secs(1)).await;
    }
}

#[actix::test]
async fn under_random_kills_and_outages_acknowledged_calls_are_stored_once_and_dialled_once() {
    let storm = Storm::asked_for();
    let mut cluster = Cluster::new().await;
    let database = cluster.url("postgres");
    let options = elevenlabs::Options {
        conversation: Duration::from_millis(400),
        agent: allowing_agent(),
        ..Default::default()
    };
    let provider = Rc::new(elevenlabs::start(options).await.unwrap());
    let (port, samples) = (free_port(), tempfile::tempdir().unwrap());
    let url = format!("http://127.0.0.1:{port}");
    let reports = format!("{url}/webhook/elevenlabs/postcall");
    provider.set_webhook(Some(Target { url: reports.parse().unwrap(), secret: SECRET.parse().unwrap() }));
    let run = Run::of(&["serve"])
        .in_production(&database, &provider.url(), samples.path().to_str().unwrap())
        .env("ELEVENLABS_API_KEY", API_KEY)
        .env("PORT", &port.to_string())
        .without_limits()
        .env("POSTCALL_WAIT_SECONDS", "5")
        .env("LOG_LEVEL", "warning");
    let serve = || async {
        let mut service: Program = run.clone().start();
        service.listening().await;
        service
    };
    let service = Rc::new(RefCell::new(Some(serve().await)));
    until("calls are accepted", || async { is(&url, "/health/ready", 200).await }).await;

    let (webhooks, stop) = (Rc::new(PostedWebhooks::default()), Rc::new(Cell::new(false)));
    let dials = Rc::new(RefCell::new(BTreeSet::new()));
    let watching = actix::spawn(watch_dials(Rc::clone(&provider), Rc::clone(&dials)));
    let loading = actix::spawn(run_load(Rc::clone(&webhooks), Rc::clone(&stop), url.clone()));
    let mut random = Random(storm.seed);
    let kills = async {
        let mut random = Random(storm.seed ^ 1);
        for _ in 0..storm.kills {
            lasting(random.between(300, 6_000)).await;
            let victim = service.borrow_mut().take().unwrap();
            victim.signal(Signal::SIGKILL);
            assert_eq!(victim.end().await.code, None, "killed, no exit code");
            let next = serve().await;
            service.borrow_mut().replace(next);
        }
    };
    let outages = async {
        let mut faults = vec![false; storm.stops];
        faults.extend(vec![true; storm.crashes]);
        faults.sort_by_key(|_| random.between(0, 1_000_000));
        for is_crash in faults {
            if is_crash {
                cluster.stop().await;
                cluster.start_to_crash().await;
                lasting(random.between(5_000, 9_000)).await;
                cluster.stop().await;
            } else {
                lasting(random.between(5_000, 9_000)).await;
                cluster.stop().await;
                lasting(storm.outage).await;
            }
            cluster.start().await;
        }
        cluster
    };
    let ((), cluster) = tokio::join!(kills, outages);
    lasting(Duration::from_secs(1)).await;
    stop.set(true);
    loading.await.unwrap();

    let client = connect_to(&cluster.url("postgres")).await;
    let begun = Instant::now();
    while let Err(health) = everything_is_written(&url).await {
        let said = || service.borrow().as_ref().map(|service| service.said("stderr")).unwrap_or_default();
        assert!(begun.elapsed() < 6 * PATIENCE, "not everything is written: {health}\n{}", said());
        pause().await;
    }
    let live = "select count(*) from call_log where state <> 'released'";
    until_long("every call is over", || async {
        client.query_one(live, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    lasting(Duration::from_secs(1)).await;
    watching.abort();

    let acknowledged = webhooks.acknowledged();
    let rows = client
        .query("select body, count(*) from webhooks where kind = '3cx' group by body", &[])
        .await
        .unwrap();
    let kept: BTreeMap<Vec<u8>, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let rows = client
        .query(
            "select call::text, count(*) from call_events where event ->> 'kind' = 'offered' group by 1",
            &[],
        )
        .await
        .unwrap();
    let offered: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for (body, call) in &acknowledged {
        assert_eq!(kept.get(body.as_bytes()), Some(&1), "{body}");
        assert!(call.as_ref().is_none_or(|call| offered.get(call) == Some(&1)), "{body} {call:?}");
    }
    let reported: Vec<Value> =
        provider.webhooks().into_iter().filter(|post| post["status"] == json!(200)).collect();
    let rows = client
        .query("select provider_id from webhooks where kind = 'post_call_transcription'", &[])
        .await
        .unwrap();
    let in_inbox: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    for post in &reported {
        let id = post["conversation_id"].as_str().unwrap_or_else(|| panic!("{post}"));
        assert!(in_inbox.contains(id), "{post}");
    }
    let mut dialled: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let dials = dials.take();
    for (call, purpose, _) in &dials {
        *dialled.entry((call, purpose)).or_default() += 1;
    }
    let twice: Vec<_> = dialled.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let verified = verify(&mut connect_to(&cluster.url("postgres")).await).await.unwrap();
    assert_eq!(verified.breaches, []);
    println!(
        "{} of {} webhooks and {} reports acknowledged over {} kills, {} stops and {} crashes; {} calls, {} dials",
        acknowledged.len(),
        webhooks.posted(),
        reported.len(),
        storm.kills,
        storm.stops,
        storm.crashes,
        offered.len(),
        dialled.len()
    );
    say_sizes(&client).await;
    assert!(acknowledged.len() > 100 && dialled.len() > 20, "too little happened");
    if let Ok(provider) = Rc::try_unwrap(provider) {
        provider.stop().await;
    }
}

/// Bytes of each table for each call, indexes included.
async fn say_sizes(client: &tokio_postgres::Client) {
    let sizes = "
        select t.name, (t.bytes / (select count(*) from call_log))::bigint from (
            select r.relname as name, sum(pg_total_relation_size(coalesce(p.relid, r.oid))) as bytes
            from pg_class r left join lateral pg_partition_tree(r.oid) p on true
            where r.relkind in ('r', 'p') and not r.relispartition and r.relnamespace = current_schema()::regnamespace
            group by 1) t
        where t.bytes > 200000 order by 2 desc";
    let rows = client.query(sizes, &[]).await.unwrap();
    let said: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row.get::<_, String>(0), row.get::<_, i64>(1))).collect();
    println!("bytes a call: {}", said.join(", "));
}

async fn until_long<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < 6 * PATIENCE, "not in time: {what}");
        pause().await;
    }
}

async fn is(url: &str, path: &str, status: u16) -> bool {
    http_client()
        .get(format!("{url}{path}"))
        .send()
        .await
        .is_ok_and(|answer| answer.status().as_u16() == status)
}

/// Whether everything is in the database. If not, what the health says.
async fn everything_is_written(url: &str) -> Result<(), Value> {
    let asked = http_client().get(format!("{url}/health")).bearer_auth(KEY).send();
    let mut answer = asked.await.map_err(|error| json!(error.to_string()))?;
    let health: Value = answer.json().await.map_err(|error| json!(error.to_string()))?;
    let is_written = health["database"] == "ok" && health["spool"] == "ok" && health["queued_events"] == 0;
    is_written.then_some(()).ok_or(health)
}
