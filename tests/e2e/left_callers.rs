//! Settings that do not lead to the legs of live calls: the start refuses them, or sends the callers to a person.

use nix::sys::signal::Signal;
use precall_simulators::elevenlabs;
use precall_simulators::threecx::{self, NewCall, Outcome, Turn};
use tokio_postgres::Client;

use crate::program::{Program, Run};
use crate::support::{PERSON, allowing_agent, caller, connect_to, database, pbx_simulator, until};

/// A killed service that had a caller on the line.
struct Site {
    run: Run,
    pbx: threecx::Simulator,
    provider: elevenlabs::Simulator,
    client: Client,
    pbx_id: String,
    samples: tempfile::TempDir,
}

impl Site {
    async fn killed(url: &str) -> Self {
        let options = elevenlabs::Options { agent: allowing_agent(), ..Default::default() };
        let provider = elevenlabs::start(options).await.unwrap();
        let pbx = pbx_simulator().await;
        let destination = Some(PERSON.to_owned());
        let answers = Turn { outcome: Outcome::Answered, after_ms: Some(50), destination, ..Turn::default() };
        pbx.set_routeto(vec![answers]);
        let samples = tempfile::tempdir().unwrap();
        let run = Run::of(&["serve"])
            .on_the_bridge(url, &provider.url(), &pbx.base_url(), samples.path())
            .env("FALLBACK_DESTINATION", PERSON)
            .env("AUTO_TRANSITION_ENABLED", "false");
        let client = connect_to(url).await;
        let service = serving(&run).await;
        until("the service is connected to the PBX", || async { pbx.websockets() > 0 }).await;
        let pbx_id = pbx.place_call(NewCall::from(&caller(1))).unwrap().call_id;
        let site = Self { run, pbx, provider, client, pbx_id, samples };
        until("the caller waits", || async { site.count("holding").await == 1 }).await;
        service.signal(Signal::SIGKILL);
        service.end().await;
        site
    }

    async fn count(&self, state: &str) -> i64 {
        let statement = "select count(*) from call_log where state = $1";
        self.client.query_one(statement, &[&state]).await.unwrap().get(0)
    }

    async fn refuses(&self, run: Run, words: &[&str]) {
        let ended = run.end().await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        for words in words
            .iter()
            .chain(&["live calls of the last start have their callers at 3CX (1)", "--abandon-live-calls"])
        {
            assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        }
        assert_eq!(self.count("holding").await, 1, "nothing was decided");
        assert!(self.pbx.call(&self.pbx_id).unwrap().transfers.is_empty());
    }

    async fn caller_is_at_a_person(&self) {
        until("a person has the caller", || async {
            let report = self.pbx.call(&self.pbx_id).unwrap();
            report.transfers.last().is_some_and(|transfer| transfer.destination == PERSON)
        })
        .await;
        until("the call is over", || async { self.count("released").await == 1 }).await;
        let statement = "select cause, blame, told from call_log";
        let row = self.client.query_one(statement, &[]).await.unwrap();
        let end = [0, 1, 2].map(|column| row.get::<_, String>(column));
        assert_eq!(end, ["lost_in_restart", "precall", "person"]);
    }

    async fn stop(self) {
        self.pbx.stop().await;
        self.provider.stop().await;
        drop(self.samples);
    }
}

async fn serving(run: &Run) -> Program {
    let mut service = run.clone().start();
    service.listening().await;
    service
}

#[actix::test]
async fn a_start_without_the_pbx_of_live_calls_is_refused_or_sends_the_callers_away() {
    let database = database();
    let site = Site::killed(database.url()).await;
    let callback = site.run.clone().env("CALL_ROUTE", "callback");
    site.refuses(callback.clone(), &["uses no 3CX call control"]).await;
    // The route does not need 3CX, but the settings still lead there.
    let _service = serving(&callback.arguments(&["serve", "--abandon-live-calls"])).await;
    site.caller_is_at_a_person().await;
    site.stop().await;
}

#[actix::test]
async fn a_start_with_a_secret_that_the_pbx_refuses_leaves_no_caller_behind() {
    let database = database();
    let site = Site::killed(database.url()).await;
    let wrong = site.run.clone().env("THREECX_CLIENT_SECRET", "another-secret-0123456789abcdefghij");
    site.refuses(wrong, &["3CX rejects THREECX_CLIENT_ID and THREECX_CLIENT_SECRET"]).await;
    let elsewhere = pbx_simulator().await;
    let moved = site.run.clone().env("THREECX_BASE_URL", &elsewhere.base_url());
    site.refuses(moved, &["their legs are at", &site.pbx.base_url()]).await;
    elsewhere.stop().await;
    let _service = serving(&site.run.clone().arguments(&["serve", "--abandon-live-calls"])).await;
    site.caller_is_at_a_person().await;
    site.stop().await;
}
