//! The front-door script of docs/3CX.md, as the 3CX simulator plays it, in front of a service that runs, was stopped,
//! was killed, is silent, or dies after its 2xx.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use precall_embedded_postgres::template::TestDatabase;
use precall_simulators::Target;
use precall_simulators::elevenlabs::{self, Options};
use precall_simulators::threecx::{self, CallReport, Fault, FrontDoor, Mode, NewCall, RoutedBecause};
use tokio_postgres::Client;

use crate::program::{Program, Run, free_port};
use crate::support::{
    CLIENT, SECRET, allowing_agent, caller, connect_to, database, http_client, lasting, until,
};

mod script;

const DEFAULT: &str = "100";

pub struct Site {
    run: Run,
    pub pbx: threecx::Simulator,
    pub client: Client,
    webhook: String,
    _provider: elevenlabs::Simulator,
    _samples: tempfile::TempDir,
    _database: TestDatabase,
}

impl Site {
    pub async fn new() -> Self {
        let port = free_port();
        let webhook_url = format!("http://127.0.0.1:{port}/webhook/3cx");
        let url = webhook_url.parse().unwrap();
        let webhook = Some(Target { url, secret: SECRET.parse().unwrap() });
        let options = threecx::Options { webhook, ..threecx::Options::new(CLIENT, SECRET.parse().unwrap()) };
        let pbx = threecx::Simulator::start(options).await.unwrap();
        let provider =
            elevenlabs::start(Options { agent: allowing_agent(), ..Options::default() }).await.unwrap();
        let (samples, database) = (tempfile::tempdir().unwrap(), database());
        let run = Run::of(&["serve"])
            .on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path())
            .env("PORT", &port.to_string());
        let client = connect_to(database.url()).await;
        Self {
            run,
            pbx,
            client,
            webhook: webhook_url,
            _provider: provider,
            _samples: samples,
            _database: database,
        }
    }

    /// A service that is connected to the PBX.
    pub async fn serve(&self) -> Program {
        let before = self.pbx.websockets();
        let mut service = self.run.clone().start();
        let ready = format!("{}/health/ready", service.listening().await);
        until("the service is connected to the PBX", || async { self.pbx.websockets() > before }).await;
        until("calls are accepted", || async {
            http_client().get(&ready).send().await.is_ok_and(|answer| answer.status().as_u16() == 200)
        })
        .await;
        service
    }

    fn place(&self, n: u32, mode: Mode, door: FrontDoor) -> String {
        let call = NewCall { front_door: Some(door), mode, ..NewCall::from(&caller(n)) };
        self.pbx.place_call(call).unwrap().call_id
    }

    fn call(&self, id: &str) -> CallReport {
        self.pbx.call(id).unwrap()
    }

    async fn at(&self, id: &str, dn: &str) -> CallReport {
        until(&format!("the caller is at {dn}"), || async { self.call(id).caller_at.as_deref() == Some(dn) })
            .await;
        self.call(id)
    }

    /// The caller ends at the default destination, for this reason alone. Returns after how many milliseconds.
    async fn refused(&self, n: u32, because: RoutedBecause) -> u64 {
        let id = self.place(n, Mode::Connected, FrontDoor::default());
        let call = self.at(&id, DEFAULT).await;
        assert_eq!(reasons(&call), [because]);
        call.front_door.unwrap().routed[0].after_ms
    }

    async fn cause_of(&self, id: &str) -> Option<String> {
        let statement = "select cause from call_log where threecx_call_id = $1 and state = 'released'";
        self.client.query_opt(statement, &[&id]).await.unwrap().map(|row| row.get(0))
    }
}

fn reasons(call: &CallReport) -> Vec<RoutedBecause> {
    call.front_door.as_ref().unwrap().routed.iter().map(|routed| routed.because).collect()
}

#[actix::test]
async fn a_caller_reaches_a_running_service_and_nobody_else_is_stranded() {
    let site = Site::new().await;
    let service = site.serve().await;
    let id = site.place(1, Mode::Connected, FrontDoor::default());
    let call = site.at(&id, CLIENT).await;
    assert_eq!(reasons(&call), [RoutedBecause::Accepted]);
    assert_eq!(call.front_door.unwrap().webhook_status, Some(200));
    until("the caller hears precall", || async { site.call(&id).first_sound_at.is_some() }).await;
    assert!(site.pbx.hang_up(&id));

    // Silent: the process is there and takes the connection, and it does nothing.
    until("the call is over", || async { site.cause_of(&id).await.is_some() }).await;
    service.signal(Signal::SIGSTOP);
    let waited = site.refused(2, RoutedBecause::Silent).await;
    assert!((2_900..10_000).contains(&waited), "the script waits 3 s: {waited} ms");
    service.signal(Signal::SIGCONT);
    let silent = site.pbx.calls().last().unwrap().call_id.clone();
    until("the late webhook's call is closed", || async {
        // Without the webhook there is no call at all.
        let seen = "select 1 from call_log where threecx_call_id = $1";
        site.client.query_opt(seen, &[&silent]).await.unwrap().is_none()
            || site.cause_of(&silent).await.is_some()
    })
    .await;

    // Killed, and stopped in order.
    service.signal(Signal::SIGKILL);
    assert_eq!(service.end().await.code, None);
    let waited = site.refused(3, RoutedBecause::Silent).await;
    assert!(waited < 3_500, "{waited} ms");
    let service = site.serve().await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end().await.code, Some(0));
    site.refused(4, RoutedBecause::Silent).await;
    assert_eq!(site.pbx.legs(), 0, "no leg is left at our DN");
}

#[actix::test]
async fn a_service_that_dies_after_its_2xx_loses_a_leg_that_must_be_answered() {
    let site = Site::new().await;
    let service = site.serve().await;
    // The order to answer never arrives, as if the service had died right after the webhook.
    site.pbx.set_faults(vec![Fault { suffix: "/answer".to_owned(), hang: true, ..Fault::default() }]);
    let door = FrontDoor { ring_ms: 3_000, ..FrontDoor::default() };
    let id = site.place(1, Mode::NeedsAnswer, door);
    let call = site.at(&id, CLIENT).await;
    assert_eq!(reasons(&call), [RoutedBecause::Accepted]);
    service.signal(Signal::SIGKILL);
    assert_eq!(service.end().await.code, None);
    let call = site.at(&id, DEFAULT).await;
    assert_eq!(reasons(&call), [RoutedBecause::Accepted, RoutedBecause::NotAnswered]);
}

#[actix::test]
async fn a_service_that_dies_after_its_2xx_takes_an_answered_leg_again_when_it_is_restarted() {
    let site = Site::new().await;
    let service = site.serve().await;
    let id = site.place(1, Mode::Connected, FrontDoor::default());
    site.at(&id, CLIENT).await;
    service.signal(Signal::SIGKILL);
    assert_eq!(service.end().await.code, None);
    // The route point has answered: the script cannot know, and the caller is in silence.
    lasting(Duration::from_secs(1)).await;
    let before = site.call(&id);
    assert_eq!(
        (before.caller_at.as_deref(), reasons(&before)),
        (Some(CLIENT), vec![RoutedBecause::Accepted])
    );
    let restarted = Instant::now();
    let _service = site.serve().await;
    until("the caller hears precall again", || async { site.call(&id).posts_opened > before.posts_opened })
        .await;
    println!("the caller has audio again {:?} after the restart", restarted.elapsed());
    assert!(site.pbx.hang_up(&id));
    until("the call is over", || async { site.cause_of(&id).await.is_some() }).await;
}
