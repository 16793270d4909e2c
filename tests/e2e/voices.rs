//! `precall voices` calls the running service. It needs a key, and deleting strays needs an approval.

use precall::config::{ApiKeys, Scope};
use precall_simulators::elevenlabs;

use crate::program::{API_KEY, Run, free_port};
use crate::support::{KEY, allowing_agent, database, http_client, until};

#[actix::test]
async fn the_voices_command_needs_a_running_service_and_a_key() {
    let database = database();
    let provider = elevenlabs::start(elevenlabs::Options { agent: allowing_agent(), ..Default::default() })
        .await
        .unwrap();
    let (port, samples) = (free_port(), tempfile::tempdir().unwrap());
    let url = format!("http://127.0.0.1:{port}");
    let run = Run::of(&["serve"])
        .in_production(database.url(), &provider.url(), samples.path().to_str().unwrap())
        .env("ELEVENLABS_API_KEY", API_KEY)
        .env("API_KEYS", &ApiKeys::entry("test", Scope::Admin, KEY).unwrap())
        .env("PORT", &port.to_string());
    let reconcile =
        |key: &str| Run::of(&["voices", "reconcile", "--url", &url]).env("PRECALL_API_KEY", key).end();
    let alone = reconcile(KEY).await;
    assert_eq!(alone.code, Some(1), "the service is not running: {}", alone.stderr);
    let mut service = run.start();
    service.listening().await;
    let ready = format!("{url}/health/ready");
    until("calls are accepted", || async {
        http_client().get(&ready).send().await.is_ok_and(|answer| answer.status().as_u16() == 200)
    })
    .await;
    let keyless = Run::of(&["voices", "reconcile", "--url", &url]).end().await;
    assert_eq!(keyless.code, Some(2));
    assert!(keyless.stderr.contains("PRECALL_API_KEY"), "{}", keyless.stderr);
    let wrong = reconcile("wrong-key-0123456789abcdef0123456789abcdef").await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("401"), "{}", wrong.stderr);
    let compared = reconcile(KEY).await;
    assert_eq!(compared.code, Some(0), "{}", compared.stderr);
    assert!(
        compared.stdout.contains("0 voices of this installation at ElevenLabs, 0 in the tables"),
        "{}",
        compared.stdout
    );
    let warm = Run::of(&["voices", "warm", "--url", &url]).env("PRECALL_API_KEY", KEY).end().await;
    assert_eq!((warm.code, warm.stdout.as_str()), (Some(0), "0 callers without a voice, 0 clones started\n"));
    provider.stop().await;
}
