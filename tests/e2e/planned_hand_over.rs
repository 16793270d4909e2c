//! A planned stop with a standby: each live conversation goes on in the other process at a pause, and the caller hears
//! all that the agent says.

use std::time::Duration;

use nix::sys::signal::Signal;
use precall_embedded_postgres::template::TestDatabase;
use precall_simulators::elevenlabs::{self, Act, Agent, Say, Script, Step};
use precall_simulators::threecx::{EndedBy, NewCall, OldTokens, Options, SecondPost, Simulator, Speaks};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Program, Run};
use crate::support::{
    CLIENT, PERSON, SECRET, allowing_agent, caller, connect_to, database, http_client, tone_ms, until,
};

const SENTENCE_MS: usize = 6_000;

fn say(ms: u64) -> Step {
    Step::Act(Act::Say(Say { text: "So it is.".to_owned(), ms: Some(ms), ..Say::default() }))
}

fn agent(script: Vec<Step>) -> Agent {
    Agent { script: Script::new(script).unwrap(), ..allowing_agent() }
}

/// An agent that says one long sentence.
fn explaining() -> Agent {
    agent(vec![say(u64::try_from(SENTENCE_MS).unwrap()), Step::Act(Act::Wait { ms: 600_000 })])
}

/// An agent that waits for the caller.
fn listening() -> Agent {
    agent(vec![Step::Act(Act::Wait { ms: 600_000 })])
}

struct Site {
    database: TestDatabase,
    provider: elevenlabs::Simulator,
    pbx: Simulator,
    folder: TempDir,
}

impl Site {
    async fn new(change: impl FnOnce(&mut Options)) -> Self {
        let conversation = Duration::from_secs(600);
        let options = elevenlabs::Options { conversation, agent: explaining(), ..Default::default() };
        let mut pbx = Options::new(CLIENT, SECRET.parse().unwrap());
        change(&mut pbx);
        Self {
            database: database(),
            provider: elevenlabs::start(options).await.unwrap(),
            pbx: Simulator::start(pbx).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A process on a host of its own: with its own spool.
    async fn serve(&self, host: &str, second_stream: &str) -> (Program, String) {
        let run = Run::of(&["serve"]);
        let folder = self.folder.path();
        let run = run.on_the_bridge(self.database.url(), &self.provider.url(), &self.pbx.base_url(), folder);
        let run = run.env("SPOOL_DIR", folder.join(host).to_str().unwrap());
        let run = run.env("DRAIN_TIMEOUT_SECONDS", "60").env("FALLBACK_DESTINATION", PERSON);
        let run = run.env("THREECX_SECOND_STREAM", second_stream).env("LOG_LEVEL", "info");
        let mut service = run.start();
        let url = service.listening().await;
        (service, url)
    }

    /// The leader and a standby.
    async fn pair(&self, second_stream: &str) -> (Program, Program, String) {
        let (first, url) = self.serve("one", second_stream).await;
        until("the first is the leader", || async { health(&url).await["ready"] == true }).await;
        until("it is connected to the PBX", || async { self.pbx.websockets() > 0 }).await;
        let (second, url) = self.serve("two", second_stream).await;
        until("the second is a standby", || async { health(&url).await["standby"] == true }).await;
        (first, second, url)
    }

    fn rings(&self, n: u32) -> String {
        let call = NewCall { speaks: Speaks::Silence, ..NewCall::from(&caller(n)) };
        self.pbx.place_call(call).unwrap().call_id
    }

    /// A caller who has heard the first words of the sentence. Agents of later sessions wait for the caller.
    async fn listens_to_the_sentence(&self) -> String {
        let id = self.rings(1);
        until("the agent speaks", || async { self.heard_of_agents(&id) > 800 }).await;
        self.provider.set_agent(listening());
        id
    }

    /// How many milliseconds the caller has heard of agents.
    fn heard_of_agents(&self, id: &str) -> usize {
        let wav = self.pbx.audio(id).unwrap_or_default();
        let sessions = self.provider.sessions();
        let tone = sessions.iter().filter_map(|session| session.tone_hz).next();
        tone.map_or(0, |hz| tone_ms(&wav, hz))
    }

    fn posts(&self, id: &str) -> u64 {
        self.pbx.call(id).unwrap().posts_opened
    }

    async fn states(&self, state: &str) -> i64 {
        let client = connect_to(self.database.url()).await;
        let statement = "select count(*) from call_log where state = $1";
        client.query_one(statement, &[&state]).await.unwrap().get(0)
    }

    async fn end(self, service: Program) {
        until("all calls are over", || async {
            self.states("released").await > 0 && self.states("conversing").await == 0
        })
        .await;
        service.signal(Signal::SIGTERM);
        assert_eq!(service.end().await.code, Some(0));
        self.pbx.stop().await;
        self.provider.stop().await;
    }
}

async fn health(url: &str) -> Value {
    let answer = async { http_client().get(format!("{url}/health")).send().await.ok()?.json().await.ok() };
    answer.await.unwrap_or_default()
}

#[actix::test]
async fn the_caller_hears_the_sentence_to_its_end_and_the_agent_goes_on_in_the_other_process() {
    // A PBX that leaves an old token valid must not hear both processes in turns.
    for old_tokens in [OldTokens::Revoked, OldTokens::Kept] {
        let site = Site::new(|pbx| pbx.old_tokens = old_tokens).await;
        let (first, second, url) = site.pair("replaces").await;
        let id = site.listens_to_the_sentence().await;
        first.signal(Signal::SIGTERM);
        until("the second is the leader", || async { health(&url).await["ready"] == true }).await;
        let ended = first.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        until("the second has the leg", || async { site.posts(&id) == 2 }).await;
        until("the caller talks with its agent", || async {
            site.provider.sessions().iter().filter(|session| session.end.is_none()).count() == 1
        })
        .await;
        let heard = site.heard_of_agents(&id);
        assert!(heard + 100 >= SENTENCE_MS, "{old_tokens:?}: heard {heard} ms of the sentence");
        let enough = site.pbx.call(&id).unwrap().heard_ms + 3_000;
        until("it was heard for three seconds more", || async {
            site.pbx.call(&id).unwrap().heard_ms > enough
        })
        .await;
        let report = site.pbx.call(&id).unwrap();
        assert_eq!(report.posts_opened, 2, "{old_tokens:?}: the leg has one process: {report:?}");
        let silences = [report.gaps_ms, report.breaks_ms].concat();
        assert!(silences.iter().all(|ms| *ms < 1_000), "{old_tokens:?}: {silences:?}");
        assert!(report.transfers.is_empty());
        // A new token may end all streams, so there was none.
        let asked = site.pbx.requests().iter().filter(|request| request["path"] == "/connect/token").count();
        assert_eq!(asked, 1);
        let left = "select token is null and legs = '{}' and beat > 1 from hand_over";
        assert!(connect_to(site.database.url()).await.query_one(left, &[]).await.unwrap().get::<_, bool>(0));
        assert_eq!(site.states("conversing").await, 1);
        assert!(site.pbx.hang_up(&id));
        site.end(second).await;
    }
}

#[actix::test]
async fn a_process_that_dies_while_it_plays_on_is_not_waited_for() {
    let site = Site::new(|_| {}).await;
    let (first, second, url) = site.pair("replaces").await;
    let id = site.listens_to_the_sentence().await;
    first.signal(Signal::SIGTERM);
    until("the second is the leader", || async { health(&url).await["ready"] == true }).await;
    first.signal(Signal::SIGKILL);
    until("the second has the leg", || async { site.posts(&id) == 2 }).await;
    until("the caller talks with an agent", || async { site.states("conversing").await == 1 }).await;
    let heard = site.heard_of_agents(&id);
    assert!(heard < SENTENCE_MS, "the sentence was over: nothing was waited for");
    assert!(site.pbx.hang_up(&id));
    site.end(second).await;
}

#[actix::test]
async fn where_the_pbx_takes_no_second_stream_a_stop_waits_for_the_end_of_the_calls() {
    let site = Site::new(|pbx| pbx.second_post = SecondPost::Refused).await;
    let (first, second, url) = site.pair("refused").await;
    let id = site.listens_to_the_sentence().await;
    first.signal(Signal::SIGTERM);
    // Nobody takes a new call in the meantime: its caller goes to a person.
    let later = site.rings(2);
    until("the later caller is with a person", || async {
        site.pbx.call(&later).unwrap().transferred_at.is_some()
    })
    .await;
    until("the sentence is over", || async { site.heard_of_agents(&id) + 100 >= SENTENCE_MS }).await;
    let report = site.pbx.call(&id).unwrap();
    assert_eq!((report.posts_opened, report.ended_by), (1, None));
    assert_eq!(health(&url).await["standby"], true, "the first still has the call");
    assert!(site.pbx.hang_up(&id));
    assert_eq!(site.pbx.call(&id).unwrap().ended_by, Some(EndedBy::Caller));
    assert_eq!(first.end().await.code, Some(0));
    until("the second is the leader", || async { health(&url).await["ready"] == true }).await;
    site.end(second).await;
}

#[actix::test]
async fn a_pbx_that_refuses_the_second_stream_unexpectedly_gives_the_leg_when_the_first_ends() {
    let site = Site::new(|pbx| pbx.second_post = SecondPost::Refused).await;
    let (first, second, _) = site.pair("replaces").await;
    let id = site.listens_to_the_sentence().await;
    first.signal(Signal::SIGTERM);
    assert_eq!(first.end().await.code, Some(0));
    until("the second has the leg", || async { site.posts(&id) == 2 }).await;
    until("the caller talks with an agent", || async { site.states("conversing").await == 1 }).await;
    let heard = site.heard_of_agents(&id);
    assert!(heard + 100 >= SENTENCE_MS, "heard {heard} ms of the sentence");
    let report = site.pbx.call(&id).unwrap();
    let silences = [report.gaps_ms, report.breaks_ms].concat();
    assert!(silences.iter().all(|ms| *ms < 3_000), "{silences:?}");
    assert!(report.transfers.is_empty());
    assert!(site.pbx.hang_up(&id));
    site.end(second).await;
}
