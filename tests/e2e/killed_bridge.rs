//! The service is killed during bridged conversations and restarted at once, as a service manager would do it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use precall_simulators::elevenlabs;
use precall_simulators::threecx::{self, NewCall};
use precall_store::verify::verify;
use tokio_postgres::Client;

use crate::program::{Program, Run};
use crate::support::{caller, connect_to, database, pause, pbx_simulator, talkative_agent, until};

/// As many as a busy machine can run beside other tests. `KILLED_CALLS` sets another number.
const CALLS: usize = 20;
const WITHIN: Duration = Duration::from_secs(60);

fn calls() -> usize {
    std::env::var("KILLED_CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(CALLS)
}

struct Site {
    run: Run,
    pbx: threecx::Simulator,
    provider: elevenlabs::Simulator,
    client: Client,
    url: String,
    _samples: tempfile::TempDir,
}

impl Site {
    async fn new(url: &str) -> Self {
        let options = elevenlabs::Options {
            conversation: Duration::from_secs(600),
            agent: talkative_agent(),
            ..Default::default()
        };
        let provider = elevenlabs::start(options).await.unwrap();
        let pbx = pbx_simulator().await;
        let samples = tempfile::tempdir().unwrap();
        let run = Run::of(&["serve"]).on_the_bridge(url, &provider.url(), &pbx.base_url(), samples.path());
        let client = connect_to(url).await;
        Self { run, pbx, provider, client, url: url.to_owned(), _samples: samples }
    }

    async fn serve(&self) -> Program {
        let mut service = self.run.clone().start();
        service.listening().await;
        service
    }

    async fn count(&self, state: &str) -> usize {
        let statement = "select count(*) from call_log where state = $1";
        let count: i64 = self.client.query_one(statement, &[&state]).await.unwrap().get(0);
        usize::try_from(count).unwrap()
    }
}

#[actix::test]
async fn bridged_callers_continue_with_their_agent_after_a_kill() {
    let database = database();
    let site = Site::new(database.url()).await;
    let count = calls();
    let service = site.serve().await;
    until("the service is connected to the PBX", || async { site.pbx.websockets() > 0 }).await;
    let mut ids = Vec::new();
    for n in 0..count {
        let number = caller(u32::try_from(n % 99).unwrap());
        ids.push(site.pbx.place_call(NewCall::from(&number)).unwrap().call_id);
        pause().await;
    }
    until("every call is in conversation", || async { site.count("conversing").await == count }).await;

    service.signal(Signal::SIGKILL);
    let killed = Instant::now();
    assert_eq!(service.end().await.code, None, "killed, no exit code");
    let _service = site.serve().await;
    let mut again: HashMap<&str, Duration> = HashMap::new();
    while again.len() < count {
        assert!(killed.elapsed() < WITHIN, "only {} of {count} callers have audio again", again.len());
        for id in ids.iter().filter(|id| !again.contains_key(id.as_str())).collect::<Vec<_>>() {
            if site.pbx.call(id).unwrap().posts_opened == 2 {
                again.insert(id, killed.elapsed());
            }
        }
        pause().await;
    }
    let mut waits: Vec<Duration> = again.into_values().collect();
    waits.sort();
    println!(
        "{count} callers have audio again: half of them after {:?}, the last after {:?}",
        waits[count / 2],
        waits[count - 1]
    );

    until("every call is in conversation again", || async {
        site.count("conversing").await == count
            && site.provider.sessions().iter().filter(|talk| talk.end.is_none()).count() == count
    })
    .await;
    let statement = "select count(*) from call_log where state = 'released'";
    assert_eq!(site.client.query_one(statement, &[]).await.unwrap().get::<_, i64>(0), 0, "no call was lost");
    for id in &ids {
        assert!(site.pbx.hang_up(id));
    }
    until("every caller has hung up", || async { site.count("released").await == count }).await;
    let verified = verify(&mut connect_to(&site.url).await).await.unwrap();
    assert_eq!(verified.breaches, []);
    site.pbx.stop().await;
    site.provider.stop().await;
}
