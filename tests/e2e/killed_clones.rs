//! Many calls of one caller at once make one call back and one clone. A kill between an upload and its answer leaves no
//! unknown voice.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use precall::signature::{Kind, sign};
use precall_base::clock;
use precall_simulators::{Target, elevenlabs};
use serde_json::json;
use tokio_postgres::Client;

use crate::program::{API_KEY, Program, Run, free_port};
use crate::support::{
    ADD, CALLED, SECRET, allowing_agent, connect_to, database, http_client, until, write_sample,
};

struct Site {
    run: Run,
    url: String,
    provider: elevenlabs::Simulator,
    client: Client,
    samples: tempfile::TempDir,
}

impl Site {
    async fn new(database: &str, clone_delay: &str) -> Self {
        let options = elevenlabs::Options {
            conversation: Duration::from_millis(300),
            clone_delay: clone_delay.parse().unwrap(),
            agent: allowing_agent(),
            ..Default::default()
        };
        let provider = elevenlabs::start(options).await.unwrap();
        let (port, samples) = (free_port(), tempfile::tempdir().unwrap());
        let url = format!("http://127.0.0.1:{port}");
        let reports = format!("{url}/webhook/elevenlabs/postcall").parse().unwrap();
        provider.set_webhook(Some(Target { url: reports, secret: SECRET.parse().unwrap() }));
        let run = Run::of(&["serve"])
            .in_production(database, &provider.url(), samples.path().to_str().unwrap())
            .env("ELEVENLABS_API_KEY", API_KEY)
            .env("PORT", &port.to_string())
            .env("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1000")
            .env("LOG_LEVEL", "warning");
        let client = connect_to(database).await;
        Self { run, url, provider, client, samples }
    }

    async fn serve(&self) -> Program {
        let mut service = self.run.clone().start();
        service.listening().await;
        let ready = format!("{}/health/ready", self.url);
        until("calls are accepted", || async {
            http_client().get(&ready).send().await.is_ok_and(|answer| answer.status().as_u16() == 200)
        })
        .await;
        service
    }

    async fn caller(&self, n: u32) -> String {
        let (number, file) = (format!("+1202{}", 2_000_000 + n), format!("{n}.wav"));
        write_sample(&self.samples.path().join(&file), n);
        let sql =
            "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ($1, $2, 'x')";
        self.client.execute(sql, &[&number, &file]).await.unwrap();
        number
    }

    async fn ring(&self, id: &str, caller: &str) -> u16 {
        let body = json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": caller,
            "called_number": CALLED, "direction": "In" })
        .to_string();
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), body.as_bytes(), clock::now());
        let request = http_client().post(format!("{}/webhook/3cx", self.url)).insert_header((name, value));
        request.send_body(body).await.unwrap().status().as_u16()
    }

    async fn count(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    fn uploads(&self) -> usize {
        self.provider.requests().iter().filter(|request| request["path"] == ADD).count()
    }

    fn voices(&self) -> BTreeSet<String> {
        let voices = self.provider.voices();
        let ids =
            voices.as_array().unwrap().iter().map(|voice| voice["voice_id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    async fn known(&self) -> BTreeSet<String> {
        let sql = "select event ->> 'voice_id' from voice_events where event ->> 'kind' = 'clone_succeeded'";
        self.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

#[actix::test]
async fn fifty_calls_of_one_new_caller_make_one_call_back_and_one_clone() {
    let database = database();
    let site = Site::new(database.url(), "1500").await;
    let _service = site.serve().await;
    let caller = site.caller(1).await;
    let ids: Vec<String> = (0..50).map(|n| format!("pbx-{n}")).collect();
    let answers = futures_util::future::join_all(ids.iter().map(|id| site.ring(id, &caller))).await;
    assert_eq!(answers, vec![200; 50]);
    // The first call back uses the caller's telephone, also in the moment in which its actor starts.
    assert_eq!(site.count("select count(*) from call_log where cause = 'busy'").await, 49);
    until("the call has the voice", || async {
        site.count("select count(*) from clone_ready_events").await == 1
    })
    .await;
    assert_eq!((site.uploads(), site.voices().len()), (1, 1));
    site.provider.stop().await;
}

#[actix::test]
async fn a_kill_between_upload_and_answer_leaves_no_unknown_voice() {
    let kills = std::env::var("KILLED_CLONES").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let database = database();
    let site = Site::new(database.url(), "400").await;
    let mut service = site.serve().await;
    for n in 1..=kills {
        let caller = site.caller(n).await;
        assert_eq!(site.ring(&format!("pbx-{n}"), &caller).await, 200);
        let upload = usize::try_from(n).unwrap();
        until("the sample is being uploaded", || async { site.uploads() == upload }).await;
        service.signal(Signal::SIGKILL);
        assert_eq!(service.end().await.code, None, "killed, no exit code");
        service = site.serve().await;
        let open =
            "select count(*) from voice_events r where event ->> 'kind' = 'clone_requested' and not exists (
            select from voice_events o where o.job = r.job and o.seq > r.seq)";
        until("every clone job has an outcome", || async { site.count(open).await == 0 }).await;
        assert_eq!(site.voices(), site.known().await, "after kill {n}");
    }
    println!("{kills} kills, {} uploads, {} voices, all known", site.uploads(), site.voices().len());
    assert!(!site.voices().is_empty(), "no upload was executed");
    site.provider.stop().await;
}
