//! An installation that nobody can reach: no webhook of the PBX, none of ElevenLabs. precall opens every connection.

use std::time::Duration;

use precall_simulators::elevenlabs::{self, Options};
use precall_simulators::threecx::NewCall;

use crate::program::Run;
use crate::support::{allowing_agent, caller, connect_to, database, pbx_simulator, until};

#[actix::test]
async fn a_call_is_taken_and_its_report_fetched_without_an_inbound_port() {
    let options =
        Options { agent: allowing_agent(), conversation: Duration::from_secs(2), ..Options::default() };
    let provider = elevenlabs::start(options).await.unwrap();
    let pbx = pbx_simulator().await;
    let (samples, database) = (tempfile::tempdir().unwrap(), database());
    let run = |command: &str| {
        Run::of(&[command])
            .on_the_bridge(database.url(), &provider.url(), &pbx.base_url(), samples.path())
            .env("HOST", "127.0.0.1")
            .env("POSTCALL_WAIT_SECONDS", "1")
    };
    let migrated = run("migrate").end().await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let checked = run("check").end().await;
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    assert!(checked.stdout.contains("no post-call webhook is set"), "{}", checked.stdout);

    let mut service = run("serve").start();
    service.listening().await;
    until("precall is connected to the PBX", || async { pbx.websockets() > 0 }).await;
    let id = pbx.place_call(NewCall::from(&caller(1))).unwrap().call_id;
    let client = connect_to(database.url()).await;
    let complete = "select 1 from call_log join conversations on call = call_log.id
        where threecx_call_id = $1 and status = 'completed' and transcript is not null and reported_at is not null";
    until("the call is complete, with the transcript of its report", || async {
        client.query_opt(complete, &[&id]).await.unwrap().is_some()
    })
    .await;
    assert_eq!(provider.webhooks().len(), 0, "no report was posted");
    let posted = "select count(*) from webhooks";
    assert_eq!(client.query_one(posted, &[]).await.unwrap().get::<_, i64>(0), 0, "nothing was posted");
}
